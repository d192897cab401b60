/**
 * A cache that keeps at least the latest half of its bound, and never exceeds its bound. Used
 * entries move to the younger of two generations. The older generation is dropped as a whole.
 */
export class LruCache<V> {
  readonly #most: number;
  readonly #weigh: (key: string, value: V) => number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  #weight = 0;

  /** @param most The maximum weight of all keys and values. */
  constructor(most: number, weightOf: (key: string, value: V) => number) {
    this.#most = most;
    this.#weigh = weightOf;
  }

  /** Returns the value, and marks it as used. */
  get(key: string): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    const weight = this.#weigh(key, value);
    if (this.#weight + weight > this.#most / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 0;
    }
    if (!this.#young.has(key)) this.#weight += weight;
    this.#young.set(key, value);
  }
}
