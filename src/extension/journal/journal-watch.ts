import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';
import { messageOf } from '../../error.ts';
import type { FollowedRecord } from '../../journal/follow.ts';
import type { KnownSessions } from '../../sessions/known-sessions.ts';
import type { ExternalIdOf } from '../../sessions/session-access.ts';
import type { SessionEntry } from '../../sessions/session-book.ts';
import { awsFilesKey } from '../window-environment.ts';

/** Sessions as of a moment, or why nothing can be said of them. */
export interface SessionsSnapshot {
  /** Newest first. */
  readonly entries: readonly SessionEntry[];
  /** A sentence for each part of the journal that could not be read. */
  readonly problems: readonly string[];
  /** `Date.now()` of when it was read. */
  readonly at: number;
}

/** Milliseconds between two looks while sessions may bill, and while none do. */
const LOOK_WHILE_BILLING = 5_000;
const LOOK_OTHERWISE = 30_000;
/** Milliseconds between a change of the journal and the look at it. */
const SETTLE = 300;

/**
 * The sessions of all programs of this user, this window's and others', as the journal has them.
 * The journal is read when it changes, and now and then, because time alone ends sessions too.
 */
export class JournalWatch implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #externalIdOf: ExternalIdOf;
  readonly #changed = new vscode.EventEmitter<SessionsSnapshot>();
  readonly #recorded = new vscode.EventEmitter<FollowedRecord>();
  readonly #ending = new AbortController();
  #sessions: { readonly key: string; readonly known: Promise<KnownSessions> } | undefined;
  #snapshot: SessionsSnapshot = { entries: [], problems: [], at: 0 };
  #reading: Promise<SessionsSnapshot> | undefined;
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  /** @param externalIdOf Without which sessions cannot be stopped whose roles take one. */
  constructor(env: () => Environment, externalIdOf: ExternalIdOf = () => undefined) {
    this.#env = env;
    this.#externalIdOf = externalIdOf;
  }

  get onDidChange(): vscode.Event<SessionsSnapshot> {
    return this.#changed.event;
  }

  /** Fired for each record as it is written, by whatever program. */
  get onDidRecord(): vscode.Event<FollowedRecord> {
    return this.#recorded.event;
  }

  get snapshot(): SessionsSnapshot {
    return this.#snapshot;
  }

  /** Loaded when somebody needs it. Rejects where the environment names no state folder that can be. */
  sessions(): Promise<KnownSessions> {
    const env = this.#env();
    const key = awsFilesKey(env);
    // Other AWS files, or another command that may run, may mean other credentials.
    if (this.#sessions?.key !== key) {
      const known = import('../../sessions/known-sessions.ts').then(
        ({ KnownSessions: Sessions }) => new Sessions(env, 'extension', this.#externalIdOf),
      );
      this.#sessions = { key, known };
    }
    return this.#sessions.known;
  }

  /** Begins to watch. Nothing of it is awaited by whoever activates the extension. */
  start(): void {
    void this.#follow();
    void this.refresh();
  }

  /** Reads the journal now. Never rejects. */
  refresh(): Promise<SessionsSnapshot> {
    this.#isStale = true;
    this.#reading ??= this.#readUntilFresh().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  dispose(): void {
    this.#ending.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#settling);
    this.#changed.dispose();
    this.#recorded.dispose();
  }

  async #readUntilFresh(): Promise<SessionsSnapshot> {
    while (this.#isStale && !this.#ending.signal.aborted) {
      this.#isStale = false;
      this.#snapshot = await this.#read();
    }
    if (this.#ending.signal.aborted) return this.#snapshot;
    this.#changed.fire(this.#snapshot);
    this.#wakeUp();
    return this.#snapshot;
  }

  async #read(): Promise<SessionsSnapshot> {
    const at = Date.now();
    try {
      const { entries, problems } = await (await this.sessions()).read();
      return { entries, problems, at };
    } catch (thrown) {
      return { entries: this.#snapshot.entries, problems: [messageOf(thrown)], at };
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    try {
      const [{ followJournal }, { folder }] = await Promise.all([
        import('../../journal/follow.ts'),
        this.sessions(),
      ]);
      for await (const record of followJournal(folder, signal)) {
        this.#recorded.fire(record);
        this.#settle();
      }
    } catch (thrown) {
      this.#snapshot = { ...this.#snapshot, problems: [messageOf(thrown)], at: Date.now() };
      this.#changed.fire(this.#snapshot);
    }
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.refresh();
    }, SETTLE);
  }

  /** Countdowns run, and sessions end, without anybody writing it down. */
  #wakeUp(): void {
    clearTimeout(this.#timer);
    const bills = this.#snapshot.entries.some(({ mayBill }) => mayBill);
    const wait = bills ? LOOK_WHILE_BILLING : LOOK_OTHERWISE;
    this.#timer = setTimeout(() => void this.refresh(), wait);
  }
}
