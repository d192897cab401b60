import { readFileSync } from 'node:fs';

/** Requests that go out at once without a thought. */
const FREE = 64;
/** Milliseconds without a connection coming free after which all that wait open their own. */
const STALL = 25;
/** Milliseconds that a request waits at the most. */
const PATIENCE = 250;

/** Open files that connections leave to everything else. */
const RESERVED_FILES = 40;
const MIN_CONNECTIONS = 4;
/** Connections above the limit for messages that open calls wait for. */
const URGENT_CONNECTIONS = 4;

/**
 * Keeps a burst of short calls from opening a connection each, TLS handshake included, where the
 * ones that are open come free all the time. What occupies them may as well be calls that wait for
 * a person, so nobody is held up for longer than a moment, unless the machine's limit of open files
 * leaves no connection: then requests wait for each other.
 */
export class ConnectionPace {
  readonly #limit: number;
  /** Requests that have a connection, or are about to open one. */
  #going = 0;
  #stall: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(limit = maxConnections()) {
    this.#limit = limit;
  }

  /**
   * Resolves when the request may go; `undefined` where it may at once.
   *
   * @param isUrgent True for an answer that an open call waits for: it must not wait for that call.
   */
  enter(isUrgent = false): Promise<void> | undefined {
    const isFree = isUrgent
      ? this.#going < this.#limit + URGENT_CONNECTIONS
      : this.#going < Math.min(FREE, this.#limit);
    if (isFree) {
      this.#going++;
      return undefined;
    }
    this.#stall ??= setTimeout(() => this.#letAllGo(), STALL);
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(patience);
        this.#waiting.delete(go);
        this.#going++;
        resolve();
      };
      const patience = setTimeout(() => {
        if (this.#going < this.#limit) go();
      }, PATIENCE);
      this.#waiting.add(go);
    });
  }

  /** To be called once for each request that entered, when its connection is free again. */
  leave(): void {
    this.#going--;
    this.#stall?.refresh();
    if (this.#going < this.#limit) this.#waiting.values().next().value?.();
  }

  #letAllGo(): void {
    this.#stall = undefined;
    for (const go of this.#waiting) {
      if (this.#going >= this.#limit) return;
      go();
    }
  }
}

/** As many as the limit of open files allows; other systems than Linux have no file that names it. */
function maxConnections(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    if (files === undefined) return Infinity;
    return Math.max(MIN_CONNECTIONS, Number(files) - RESERVED_FILES);
  } catch {
    return Infinity;
  }
}
