import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import type { Environment } from '../environment.ts';
import { Journal } from '../journal/journal.ts';
import { readJournal } from '../journal/reader.ts';
import type { JournalRecord } from '../journal/records.ts';
import { type PruneReport, prune } from '../journal/retention.ts';
import { journalFolder, stateFolder } from '../journal/state-folder.ts';
import { Lifecycles } from './lifecycle.ts';
import { type ReadSessions, readSessions } from './read-sessions.ts';
import { type ExternalIdOf, SessionAccess } from './session-access.ts';
import type { SessionEntry } from './session-book.ts';
import { oursOf } from './session-lookup.ts';
import { type StopOutcome, stopSessions } from './session-stopping.ts';

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
  read(): Promise<ReadSessions> {
    return readSessions({ folder: this.folder, lifecycles: this.#lifecycles, now: Date.now });
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
      readonly onOutcome: (entry: SessionEntry, outcome: StopOutcome) => void;
      /** Told once where the record cannot be written. */
      readonly onFailure: (sentence: string) => void;
    },
  ): Promise<void> {
    const { signal, onOutcome, onFailure } = options;
    const { version } = packageJson;
    const journal = new Journal({
      folder: this.folder,
      program: this.#program,
      version,
      onFailure,
    });
    await stopSessions(entries, {
      access: this.#access,
      signal,
      onOutcome: async (entry, outcome) => {
        for (const session of oursOf(entry)) await journal.recordNow(recordOf(session, outcome));
        onOutcome(entry, outcome);
      },
    });
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

function recordOf(session: string, outcome: StopOutcome): JournalRecord {
  const at = new Date().toISOString();
  return outcome.how === 'failed'
    ? { type: 'session.stop-failed', at, session, reason: outcome.reason }
    : { type: 'session.stopped', at, session, wasGone: outcome.how === 'gone' };
}
