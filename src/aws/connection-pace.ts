import { readFileSync } from 'node:fs';

/** Maximum concurrent requests before new ones wait for a connection. */
const FREE = 64;
/** If no connection becomes free for this many milliseconds, all waiting requests proceed. */
const STALL = 25;
/** Maximum wait of a request, in milliseconds. */
const PATIENCE = 250;

/** File descriptors reserved for other uses than connections. */
const RESERVED_FILES = 40;
const MIN_CONNECTIONS = 4;
/** Connections above the limit for messages needed by open calls. */
const URGENT_CONNECTIONS = 4;

/**
 * Delays requests in a burst so that they reuse connections and avoid a TLS handshake each. The
 * connections may be busy with calls that wait for a user, so a request waits only briefly. Only if
 * the file descriptor limit allows no more connections do requests wait for each other.
 */
export class ConnectionPace {
  readonly #limit: number;
  /** Requests with a connection or about to open one. */
  #going = 0;
  #stall: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(limit = maxConnections()) {
    this.#limit = limit;
  }

  /**
   * Resolves when the request may be sent. Returns `undefined` if it may be sent immediately.
   *
   * @param isUrgent True for a response needed by an open call. It must not wait for that call.
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

  /** Must be called once for each entered request, when its connection is free again. */
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

/** Maximum connections under the file descriptor limit. Only Linux has a file with this limit. */
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
