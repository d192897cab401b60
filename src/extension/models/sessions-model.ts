import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { WatchedValue } from '../../base/watched-value.ts';
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
}

/** Poll interval in milliseconds, if a session may be billed. */
const BILLING_POLL_INTERVAL_MS = 5_000;

/** Poll interval in milliseconds, if no session may be billed. */
const IDLE_POLL_INTERVAL_MS = 30_000;

/** Debounce in milliseconds after a change of the journal. */
const DEBOUNCE_MS = 300;

/**
 * The sessions of all programs of this user, as recorded in the journal. Reads the journal when it
 * changes. Also polls it, because a session can reach its timeout without a record.
 */
export class SessionsModel extends WatchedValue<SessionsSnapshot> {
  readonly #env: () => Environment;
  readonly #getExternalId: GetExternalId;
  readonly #recorded = new vscode.EventEmitter<FollowedRecord>();
  readonly #ending = new AbortController();
  #sessions: { readonly key: string; readonly known: Promise<SessionStore> } | undefined;

  /** @param getExternalId Returns the external ID of a role. A stop may require it. */
  constructor(env: () => Environment, getExternalId: GetExternalId = () => undefined) {
    super({
      initial: { entries: [], problems: [] },
      load: () => this.#read(),
      debounceMs: DEBOUNCE_MS,
      // Sessions expire without a journal record.
      pollIntervalMs: ({ entries }) =>
        entries.some(({ mayBill }) => mayBill) ? BILLING_POLL_INTERVAL_MS : IDLE_POLL_INTERVAL_MS,
    });
    this.#env = env;
    this.#getExternalId = getExternalId;
  }

  /** Fires for each new journal record of any program. */
  get onDidRecord(): vscode.Event<FollowedRecord> {
    return this.#recorded.event;
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
        ({ SessionStore }) => new SessionStore(env, 'extension', this.#getExternalId),
      );
      this.#sessions = { key, known };
    }
    return this.#sessions.known;
  }

  override start(): void {
    super.start();
    // If the journal cannot be read, the value contains the problem.
    void this.#follow().catch(() => {});
  }

  override dispose(): void {
    super.dispose();
    this.#ending.abort();
    this.#recorded.dispose();
  }

  async #read(): Promise<SessionsSnapshot> {
    try {
      const { entries, problems } = await (await this.sessions()).read();
      return { entries, problems };
    } catch (thrown) {
      return { entries: this.value.entries, problems: [getErrorMessage(thrown)] };
    }
  }

  async #follow(): Promise<void> {
    const { journal } = await this.sessions();
    for await (const record of journal.follow(this.#ending.signal)) {
      this.#recorded.fire(record);
      this.invalidate();
    }
  }
}
