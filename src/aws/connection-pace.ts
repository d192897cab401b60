import { readFileSync } from 'node:fs';

/** Maximum concurrent requests before new ones wait for a connection. */
const MAX_IMMEDIATE_REQUESTS = 64;

/** If no connection becomes free for this many milliseconds, all waiting requests proceed. */
const STALL = 25;

/** Maximum wait of a request, in milliseconds. */
const THROTTLE_TIMEOUT_MS = 250;

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
export class ConnectionThrottle {
  #knownLimit: number | undefined;
  /** Requests with a connection or about to open one. */
  #going = 0;
  #stall: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(limit?: number) {
    this.#knownLimit = limit;
  }

  /** Read only when it matters, because reading it takes time. */
  get #limit(): number {
    if (this.#knownLimit === undefined && this.#going < MIN_CONNECTIONS) return MIN_CONNECTIONS;
    this.#knownLimit ??= getMaxConnections();
    return this.#knownLimit;
  }

  /**
   * Resolves when the request may be sent. Returns `undefined` if it may be sent immediately.
   *
   * @param isUrgent True for a response needed by an open call. It must not wait for that call.
   */
  enter(isUrgent = false): Promise<void> | undefined {
    const isFree = isUrgent
      ? this.#going < this.#limit + URGENT_CONNECTIONS
      : this.#going < Math.min(MAX_IMMEDIATE_REQUESTS, this.#limit);
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
      }, THROTTLE_TIMEOUT_MS);
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

/** Maximum connections under the file descriptor limit. Windows has no such limit. */
function getMaxConnections(): number {
  const files = process.platform === 'win32' ? Infinity : (readProcLimit() ?? readReportLimit());
  return Math.max(MIN_CONNECTIONS, files - RESERVED_FILES);
}

function readProcLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return files === undefined ? undefined : Number(files);
  } catch {
    return undefined;
  }
}

/** A report takes 10 ms or more, but works on every POSIX system. */
function readReportLimit(): number {
  const report: Report = process.report;
  const { excludeNetwork, excludeEnv } = report;
  // Looking up the names of all connected hosts could take seconds.
  Object.assign(report, { excludeNetwork: true, excludeEnv: true });
  try {
    const { userLimits } = report.getReport() as { userLimits?: UserLimits };
    const files = Number(userLimits?.open_files?.soft);
    return Number.isFinite(files) ? files : Infinity;
  } catch {
    return Infinity;
  } finally {
    Object.assign(report, { excludeNetwork, excludeEnv });
  }
}

/** The type definitions of Node 22 lack this member. */
interface Report extends NodeJS.ProcessReport {
  readonly excludeNetwork?: boolean;
}

/** Part of a report. `soft` is a number or "unlimited". */
interface UserLimits {
  readonly open_files?: { readonly soft?: unknown };
}
