import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../environment.ts';
import { AgentCoreError } from '../error.ts';
import { Journal } from '../journal/journal.ts';
import { readJournal } from '../journal/reader.ts';
import type { JournalRecord } from '../journal/records.ts';
import { type PruneReport, prune } from '../journal/retention.ts';
import { journalFolder, stateFolder } from '../journal/state-folder.ts';
import { Lifecycles } from './lifecycle.ts';
import { type ReadSessions, readSessions, type UnlistedEnd } from './read-sessions.ts';
import { type ExternalIdOf, SessionAccess } from './session-access.ts';
import type { SessionEntry } from './session-book.ts';
import { oursOf } from './session-lookup.ts';
import { stopSessions } from './session-stopping.ts';
import { runtimeName } from './session-words.ts';
import type { StopResult } from './stop-session.ts';

/** The sessions that all programs of this user have put on record: read, stopped, forgotten. */
export class KnownSessions {
  /** Of the journal. */
  readonly folder: string;
  readonly #program: string;
  readonly #access: SessionAccess;
  readonly #lifecycles: Lifecycles;

  /**
   * @param program What the journal calls the program that stops sessions: `cli`, `extension`.
   * @param externalIdOf Asked for roles that were assumed; what it does not know, the environment may.
   * @throws {AgentCoreError} `usage` where the environment names no state folder that can be.
   */
  constructor(env: Environment, program: string, externalIdOf?: ExternalIdOf) {
    const state = stateFolder(env);
    this.folder = journalFolder(state);
    this.#program = program;
    this.#access = new SessionAccess(env, externalIdOf);
    this.#lifecycles = new Lifecycles({
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
  async recordsOf(entry: SessionEntry): Promise<readonly JournalRecord[]> {
    const ours = oursOf(entry);
    const { files } = await readJournal(this.folder);
    return files
      .flatMap(({ records }) => records)
      .filter((record) => 'session' in record && ours.includes(record.session ?? ''))
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  }

  /** Stops sessions by the credentials that they were used with, and puts on record how that went. */
  async stop(
    entries: readonly SessionEntry[],
    options: {
      readonly signal: AbortSignal;
      readonly onResult: (entry: SessionEntry, result: StopResult) => void;
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
          await recordOnce(journal, entry, eventOf(result));
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
    entries: readonly SessionEntry[],
    onFailure: (sentence: string) => void,
  ): Promise<void> {
    for (const entry of entries) {
      if (entry.state === 'orphaned') continue;
      throw new AgentCoreError(
        'usage',
        `Could not dismiss the session on ${runtimeName(entry)}: it is ${entry.state}, and only orphaned sessions can be dismissed. ${entry.mayBill ? 'Stop it instead.' : 'It leaves the list by itself.'}`,
      );
    }
    await this.#withJournal(onFailure, async (journal) => {
      for (const entry of entries) await recordOnce(journal, entry, { type: 'session.dismissed' });
    });
  }

  async #withJournal(
    onFailure: (sentence: string) => void,
    work: (journal: Journal) => Promise<void>,
  ): Promise<void> {
    const { version } = packageJson;
    const program = this.#program;
    const journal = new Journal({ folder: this.folder, program, version, onFailure });
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
        oursOf(entry).map((session) => [session, entry.lifecycle.maxLifetime]),
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
  journal: Journal,
  entry: SessionEntry,
  event: SessionEvent,
): Promise<void> {
  const at = new Date().toISOString();
  const [first, ...others] = oursOf(entry) as [string, ...string[]];
  await journal.recordNow({ ...event, at, session: first });
  for (const session of others) {
    await journal.recordNow({ ...event, at, session, sameAs: first });
  }
}

function eventOf(result: StopResult): SessionEvent {
  return result.how === 'failed'
    ? { type: 'session.stop-failed', reason: result.reason }
    : { type: 'session.stopped', wasGone: result.how === 'gone' };
}
