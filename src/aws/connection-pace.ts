/** Requests that go out at once without a thought. */
const FREE = 64;
/** Milliseconds without a connection coming free after which all that wait open their own. */
const STALL = 25;
/** Milliseconds that a request waits at the most. */
const PATIENCE = 250;

/**
 * Keeps a burst of short calls from opening a connection each, TLS handshake included, where the
 * ones that are open come free all the time. What occupies them may as well be calls that wait for
 * a person, so nobody is held up for longer than a moment.
 */
export class ConnectionPace {
  #open = 0;
  #stall: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  /** Resolves when the request may go; `undefined` where it may at once. */
  enter(): Promise<void> | undefined {
    this.#open++;
    if (this.#open <= FREE) return undefined;
    this.#stall ??= setTimeout(() => this.#letAllGo(), STALL);
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(patience);
        this.#waiting.delete(go);
        resolve();
      };
      const patience = setTimeout(go, PATIENCE);
      this.#waiting.add(go);
    });
  }

  /** To be called once for each request that entered, when its connection is free again. */
  leave(): void {
    this.#open--;
    this.#stall?.refresh();
    this.#waiting.values().next().value?.();
  }

  #letAllGo(): void {
    this.#stall = undefined;
    for (const go of this.#waiting) go();
  }
}
