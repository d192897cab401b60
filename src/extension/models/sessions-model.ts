import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { SessionStore } from '../../sessions/session-store.ts';
import type { GetExternalId } from '../../sessions/stop-session.ts';
import type { FollowedRecord } from '../../state/journal/follow.ts';
import { getAwsFilesKey } from '../settings/window-settings.ts';

/** The sessions at one point in time. If the last read failed, those of an earlier read. */
export interface SessionsSnapshot {
  /** Newest first. */
  readonly entries: readonly SessionInfo[];
  /** One message for each unreadable journal file, or the error of the whole read. */
  readonly problems: readonly string[];
  /** Time of the read (`Date.now()`). */
  readonly at: number;
}

/** Poll interval in milliseconds, if a session may be billed. */
const BILLING_POLL_INTERVAL_MS = 5_000;

/** Poll interval in milliseconds, if no session may be billed. */
const LOOK_OTHERWISE = 30_000;

/** Debounce in milliseconds after a change of the journal. */
const DEBOUNCE_MS = 300;

/**
 * The sessions of all programs of this user, as recorded in the journal. Reads the journal when it
 * changes. Also polls it, because a session can reach its timeout without a record.
 */
export class SessionsModel implements vscode.Disposable {
  readonly #env: () => Environment;
  readonly #getExternalId: GetExternalId;
  readonly #changed = new vscode.EventEmitter<SessionsSnapshot>();
  readonly #recorded = new vscode.EventEmitter<FollowedRecord>();
  readonly #ending = new AbortController();
  #sessions: { readonly key: string; readonly known: Promise<SessionStore> } | undefined;
  #snapshot: SessionsSnapshot = { entries: [], problems: [], at: 0 };
  #reading: Promise<SessionsSnapshot> | undefined;
  #isStale = false;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  /** @param externalIdOf Returns the external ID of a role. A stop may require it. */
  constructor(env: () => Environment, externalIdOf: GetExternalId = () => undefined) {
    this.#env = env;
    this.#getExternalId = externalIdOf;
  }

  get onDidChange(): vscode.Event<SessionsSnapshot> {
    return this.#changed.event;
  }

  /** Fires for each new journal record of any program. */
  get onDidRecord(): vscode.Event<FollowedRecord> {
    return this.#recorded.event;
  }

  get snapshot(): SessionsSnapshot {
    return this.#snapshot;
  }

  /**
   * The session store, loaded on first use. Rejects if the state directory in the environment is
   * invalid.
   */
  sessions(): Promise<SessionStore> {
    const env = this.#env();
    const key = getAwsFilesKey(env);
    // Other AWS files, or another confirmed command, can result in other credentials.
    if (this.#sessions?.key !== key) {
      const known = import('../../sessions/session-store.ts').then(
        ({ SessionStore: Sessions }) => new Sessions(env, 'extension', this.#getExternalId),
      );
      this.#sessions = { key, known };
    }
    return this.#sessions.known;
  }

  /** Starts the watch and returns immediately, so activation does not wait. */
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
      return { entries: this.#snapshot.entries, problems: [getErrorMessage(thrown)], at };
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    try {
      const { journal } = await this.sessions();
      for await (const record of journal.follow(signal)) {
        this.#recorded.fire(record);
        this.#settle();
      }
    } catch (thrown) {
      this.#snapshot = { ...this.#snapshot, problems: [getErrorMessage(thrown)], at: Date.now() };
      this.#changed.fire(this.#snapshot);
    }
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      void this.refresh();
    }, DEBOUNCE_MS);
  }

  /** Schedules the next poll, because sessions expire without a journal record. */
  #wakeUp(): void {
    clearTimeout(this.#timer);
    const bills = this.#snapshot.entries.some(({ mayBill }) => mayBill);
    const wait = bills ? BILLING_POLL_INTERVAL_MS : LOOK_OTHERWISE;
    this.#timer = setTimeout(() => void this.refresh(), wait);
  }
}
