/** The newest of many, oldest first: at most `limit`, and none where that is 0. */
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
