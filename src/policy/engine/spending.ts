import { DEFAULT_LIFECYCLE } from '../../sessions/lifecycle.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import { readSessions } from '../../sessions/session-store.ts';
import { getWindowStart, type Window } from '../documents/windows.ts';
import type { Spent } from './decision.ts';

/**
 * Ages of the last read in milliseconds. After the first, it is refreshed in the background. After
 * the second, a call waits for the refresh.
 */
const REFRESH_AFTER_MS = 5_000;

const WAIT_AFTER_MS = 30_000;

/**
 * Reads the usage of runtime sessions from the journal, for budgets. It includes all programs of
 * the user. The journal is read in the background. A call waits only if the last read is too old.
 */
export class SpendingReader {
  readonly #folder: string;
  readonly #now: () => number;
  #entries: readonly SessionInfo[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param folder The journal folder. */
  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  /** Returns the usage in a window. Rejects if the journal cannot be read. */
  async in(window: Window): Promise<Spent> {
    // If the clock was set back, the last read is in the future.
    const age = Math.abs(this.#now() - this.#readAt);
    if (age > REFRESH_AFTER_MS) this.#refresh();
    if (age > WAIT_AFTER_MS) await this.#reading;
    const now = this.#now();
    const start = window.kind === 'fixed' ? getWindowStart(window, now) : now - window.milliseconds;
    let usd = 0;
    let sessions = 0;
    for (const { startedAt, age: lived, cost } of this.#entries) {
      const began = Date.parse(startedAt);
      if (began >= start) sessions++;
      // If a session started before the window, only its share within the window counts.
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
    const lifecycles = { resolve: async () => () => DEFAULT_LIFECYCLE };
    const { entries } = await readSessions({
      folder: this.#folder,
      lifecycles,
      now: this.#now,
      // Include sessions that the user removed from the list: they have cost money.
      unlisted: ['dismissed'],
    });
    this.#entries = entries;
    this.#readAt = this.#now();
  }
}
