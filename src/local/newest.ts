/** The newest `limit` items, oldest first. Stores nothing if `limit` is 0. */
export class Newest<T> {
  readonly items: T[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(item: T): void {
    this.items.push(item);
    if (this.items.length > this.#limit) this.items.shift();
  }
}
