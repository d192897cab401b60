/** A map of at most `limit` items. When full, it drops the oldest. */
export class NewestByKey<V> {
  readonly #items = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    return this.#items.get(key);
  }

  set(key: string, item: V): void {
    this.#items.set(key, item);
    if (this.#items.size <= this.#limit) return;
    const [oldest] = this.#items.keys();
    if (oldest !== undefined) this.#items.delete(oldest);
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  /** Oldest first. */
  all(): V[] {
    return [...this.#items.values()];
  }
}
