/**
 * Passes the latest value for each key to a consumer. A slow consumer skips intermediate values, so
 * the queue stays small.
 */
export class Updates<K, V> implements AsyncIterable<V> {
  readonly #waiting = new Map<K, V>();
  #ended: { readonly failure?: unknown } | undefined;
  #wake: (() => void) | undefined;

  set(key: K, value: V): void {
    this.#waiting.set(key, value);
    this.#wake?.();
  }

  /** Ends the iteration after the pending values. */
  end(): void {
    this.#ended = {};
    this.#wake?.();
  }

  /** Throws the failure to the consumer after the pending values. */
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
