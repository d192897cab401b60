import { ASSUMED_LIFECYCLE } from '../../sessions/lifecycle.ts';
import { readSessions } from '../../sessions/read-sessions.ts';
import type { SessionEntry } from '../../sessions/session-book.ts';
import type { Spent } from '../decisions/facts.ts';
import { type Window, windowStart } from '../documents/windows.ts';

/** Milliseconds for which what was read is taken for the present, and after which a call waits. */
const FRESH = 5_000;
const STALE = 30_000;

/**
 * What the runtime sessions of all programs of this user have come to, from the journal. It is read
 * beside the calls: one waits for it only where the last reading is old.
 */
export class JournalSpending {
  readonly #folder: string;
  readonly #now: () => number;
  #entries: readonly SessionEntry[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param folder The journal's. */
  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Rejects where the journal cannot be read. */
  async in(window: Window): Promise<Spent> {
    // A clock that was set back makes what was read look as if it were newer than it is.
    const age = Math.abs(this.#now() - this.#readAt);
    if (age > FRESH) this.#refresh();
    if (age > STALE) await this.#reading;
    const now = this.#now();
    const start = window.kind === 'fixed' ? windowStart(window, now) : now - window.milliseconds;
    let usd = 0;
    let sessions = 0;
    for (const { startedAt, age: lived, cost } of this.#entries) {
      const began = Date.parse(startedAt);
      if (began >= start) sessions++;
      // Of a session that is older than the window, the part that lies in it.
      const share = began >= start ? 1 : Math.max(0, began + lived - start) / Math.max(lived, 1);
      usd += cost.most * share;
    }
    return { usd, sessions };
  }

  #refresh(): void {
    if (this.#reading) return;
    const reading = this.#read().finally(() => {
      this.#reading = undefined;
    });
    reading.catch(() => undefined);
    this.#reading = reading;
  }

  async #read(): Promise<void> {
    const lifecycles = { of: async () => () => ASSUMED_LIFECYCLE };
    const { entries } = await readSessions({ folder: this.#folder, lifecycles, now: this.#now });
    this.#entries = entries;
    this.#readAt = this.#now();
  }
}
