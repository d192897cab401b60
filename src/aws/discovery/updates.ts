/**
 * Hands on what is new of several things, as long as somebody looks. Who looks rarely sees the
 * newest of each, and nothing piles up.
 */
export class Updates<K, V> implements AsyncIterable<V> {
  readonly #waiting = new Map<K, V>();
  #ended: { readonly failure?: unknown } | undefined;
  #wake: (() => void) | undefined;

  set(key: K, value: V): void {
    this.#waiting.set(key, value);
    this.#wake?.();
  }

  /** There is nothing to come. */
  end(): void {
    this.#ended = {};
    this.#wake?.();
  }

  /** Whoever looks is to know of a failure, once the rest was handed on. */
  fail(failure: unknown): void {
    this.#ended = { failure };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<V> {
    for (;;) {
      for (const [key, value] of this.#waiting) {
        this.#waiting.delete(key);
        yield value;
      }
      if (this.#ended) {
        if ('failure' in this.#ended) throw this.#ended.failure;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
