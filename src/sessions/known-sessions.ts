import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { JournalWriter } from '../journal/journal.ts';
import { readJournal } from '../journal/reader.ts';
import type { JournalRecord } from '../journal/records.ts';
import { type PruneReport, prune } from '../journal/retention.ts';
import { getJournalDirectory, getStateDirectory } from '../journal/state-folder.ts';
import { LifecycleCache } from './lifecycle.ts';
import { type ReadSessions, readSessions, type UnlistedEnd } from './read-sessions.ts';
import { type GetExternalId, SessionClientFactory } from './session-access.ts';
import type { SessionInfo } from './session-book.ts';
import { getRecordIds } from './session-lookup.ts';
import { stopSessions } from './session-stopping.ts';
import { formatRuntimeName } from './session-words.ts';
import type { StopResult } from './stop-session.ts';

/** The sessions that all programs of this user have put on record: read, stopped, forgotten. */
export class SessionStore {
  /** Of the journal. */
  readonly folder: string;
  readonly #program: string;
  readonly #access: SessionClientFactory;
  readonly #lifecycles: LifecycleCache;

  /**
   * @param program What the journal calls the program that stops sessions: `cli`, `extension`.
   * @param externalIdOf Asked for roles that were assumed; what it does not know, the environment may.
   * @throws {AgentCoreError} `usage` where the environment names no state folder that can be.
   */
  constructor(env: Environment, program: string, externalIdOf?: GetExternalId) {
    const state = getStateDirectory(env);
    this.folder = getJournalDirectory(state);
    this.#program = program;
    this.#access = new SessionClientFactory(env, externalIdOf);
    this.#lifecycles = new LifecycleCache({
      file: join(state, 'lifecycles.json'),
      read: (subject, signal) => this.#access.readLifecycle(subject, signal),
      now: Date.now,
    });
  }

  /** As {@link readSessions}, as of now. */
  read(unlisted?: readonly UnlistedEnd[]): Promise<ReadSessions> {
    const [folder, lifecycles] = [this.folder, this.#lifecycles];
    return readSessions({ folder, lifecycles, now: Date.now, ...(unlisted && { unlisted }) });
  }

  /** All records of one session, by time. */
  async readRecords(entry: SessionInfo): Promise<readonly JournalRecord[]> {
    const ours = getRecordIds(entry);
    const { files } = await readJournal(this.folder);
    return files
      .flatMap(({ records }) => records)
      .filter((record) => 'session' in record && ours.includes(record.session ?? ''))
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  }

  /** Stops sessions by the credentials that they were used with, and puts on record how that went. */
  async stop(
    entries: readonly SessionInfo[],
    options: {
      readonly signal: AbortSignal;
      readonly onResult: (entry: SessionInfo, result: StopResult) => void;
      /** Told once where the record cannot be written. */
      readonly onFailure: (sentence: string) => void;
    },
  ): Promise<void> {
    const { signal, onResult, onFailure } = options;
    await this.#withJournal(onFailure, (journal) =>
      stopSessions(entries, {
        access: this.#access,
        signal,
        onResult: async (entry, result) => {
          await recordOnce(journal, entry, toSessionEvent(result));
          onResult(entry, result);
        },
      }),
    );
  }

  /**
   * Takes orphaned sessions off the list: those that cannot be stopped, such as one whose id is
   * unknown.
   *
   * @param onFailure Told once where the record cannot be written.
   * @throws {AgentCoreError} `usage` where one is not orphaned; none is dismissed then.
   */
  async dismiss(
    entries: readonly SessionInfo[],
    onFailure: (sentence: string) => void,
  ): Promise<void> {
    for (const entry of entries) {
      if (entry.state === 'orphaned') continue;
      throw new AgentCoreError(
        'usage',
        `Could not dismiss the session on ${formatRuntimeName(entry)}: it is ${entry.state}, and only orphaned sessions can be dismissed. ${entry.mayBill ? 'Stop it instead.' : 'It leaves the list by itself.'}`,
      );
    }
    await this.#withJournal(onFailure, async (journal) => {
      for (const entry of entries) await recordOnce(journal, entry, { type: 'session.dismissed' });
    });
  }

  async #withJournal(
    onFailure: (sentence: string) => void,
    work: (journal: JournalWriter) => Promise<void>,
  ): Promise<void> {
    const { version } = packageJson;
    const program = this.#program;
    const journal = new JournalWriter({ folder: this.folder, program, version, onFailure });
    await work(journal);
    await journal.close();
  }

  /**
   * Removes the journal files that no session which may run is in.
   *
   * @param maxAge Milliseconds; files that were written before stay for no other reason.
   */
  async prune(maxAge: number): Promise<PruneReport> {
    const { entries } = await this.read();
    const lifetimes = new Map(
      entries.flatMap((entry) =>
        getRecordIds(entry).map((session) => [session, entry.lifecycle.maxLifetime]),
      ),
    );
    return prune(this.folder, {
      maxAge,
      lifetimeOf: ({ session }) => lifetimes.get(session) ?? Infinity,
    });
  }
}

type SessionEvent =
  | { readonly type: 'session.stop-failed'; readonly reason: string }
  | { readonly type: 'session.stopped'; readonly wasGone: boolean }
  | { readonly type: 'session.dismissed' };

/** One event for all records of a runtime session, which logs show once. */
async function recordOnce(
  journal: JournalWriter,
  entry: SessionInfo,
  event: SessionEvent,
): Promise<void> {
  const at = new Date().toISOString();
  const [first, ...others] = getRecordIds(entry) as [string, ...string[]];
  await journal.recordNow({ ...event, at, session: first });
  for (const session of others) {
    await journal.recordNow({ ...event, at, session, sameAs: first });
  }
}

function toSessionEvent(result: StopResult): SessionEvent {
  return result.how === 'failed'
    ? { type: 'session.stop-failed', reason: result.reason }
    : { type: 'session.stopped', wasGone: result.how === 'gone' };
}
