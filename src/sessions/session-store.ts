import { join } from 'node:path';
import packageJson from '../../package.json' with { type: 'json' };
import { mapConcurrent } from '../base/async.ts';
import { type Environment, getJournalDirectory, getStateDirectory } from '../base/environment.ts';
import { AgentCoreError } from '../base/errors.ts';
import { openFileStore } from '../state/files/file-store.ts';
import { hasEnded } from '../state/journal/fold.ts';
import { type JournalRecord, MAX_LIFETIME } from '../state/journal/records.ts';
import type { PruneReport } from '../state/journal/retention.ts';
import type { Journal, StateStore } from '../state/store.ts';
import { formatRuntimeName } from './format.ts';
import { LifecycleCache, type LifecycleSubject } from './lifecycle.ts';
import {
  buildSessionList,
  getRecordIds,
  type SessionInfo,
  type SessionRecordSet,
} from './session-info.ts';
import { SessionActivityIndex } from './session-usage.ts';
import {
  type GetExternalId,
  SessionClientFactory,
  type StopResult,
  stopRecordedSession,
} from './stop-session.ts';

/** Maximum concurrent stops, because AgentCore throttles. */
const STOP_CONCURRENCY = 8;

/** Lists and stops the sessions in the journal. All programs of a user share the journal. */
export class SessionStore {
  /** Path of the journal. */
  readonly folder: string;
  /** For reading only. */
  readonly journal: Journal;
  readonly #directory: string;
  readonly #program: string;
  readonly #clients: SessionClientFactory;
  readonly #lifecycles: LifecycleCache;

  /**
   * @param program Name of this program in the journal: `cli`, `extension`.
   * @param externalIdOf Returns the external id of a role. If it returns `undefined`,
   * `AGENTCORE_ASSUME_ROLE_EXTERNAL_ID` is used.
   * @throws {AgentCoreError} `usage` if `AGENTCORE_STATE_DIR` is not absolute, `config` if other
   * users can write in the folder.
   */
  constructor(env: Environment, program: string, externalIdOf?: GetExternalId) {
    this.#directory = getStateDirectory(env);
    this.folder = getJournalDirectory(this.#directory);
    this.#program = program;
    this.journal = this.#open(() => undefined).journal;
    this.#clients = new SessionClientFactory(env, externalIdOf);
    this.#lifecycles = new LifecycleCache({
      file: join(this.#directory, 'lifecycles.json'),
      read: (subject, signal) => this.#clients.readLifecycle(subject, signal),
      now: Date.now,
    });
  }

  /** Calls {@link readSessions} with the journal and the lifecycles of this store. */
  read(unlisted?: readonly UnlistedEnd[]): Promise<ReadSessions> {
    const [journal, lifecycles] = [this.journal, this.#lifecycles];
    return readSessions({ journal, lifecycles, now: Date.now, ...(unlisted && { unlisted }) });
  }

  /** Returns all records of one session, oldest first. */
  async readRecords(entry: SessionInfo): Promise<readonly JournalRecord[]> {
    const ours = getRecordIds(entry);
    const { files } = await this.journal.read();
    return files
      .flatMap(({ records }) => records)
      .filter((record) => 'session' in record && ours.includes(record.session ?? ''))
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
  }

  /** Stops sessions with the profile and role of their programs, and records each result. */
  async stop(
    entries: readonly SessionInfo[],
    options: {
      readonly signal: AbortSignal;
      readonly onResult: (entry: SessionInfo, result: StopResult) => void;
      /** Called once if a record could not be written. */
      readonly onFailure: (sentence: string) => void;
    },
  ): Promise<void> {
    const { signal, onResult, onFailure } = options;
    await this.#withJournal(onFailure, (journal) =>
      mapConcurrent(entries, STOP_CONCURRENCY, async (entry) => {
        const result = await stopRecordedSession(entry, this.#clients, signal);
        await recordOnce(journal(), entry, toSessionEvent(result));
        onResult(entry, result);
      }),
    );
  }

  /**
   * Removes orphaned sessions from the list. Use it if a stop is impossible, for example because
   * the id is unknown.
   *
   * @param onFailure Called once if a record could not be written.
   * @throws {AgentCoreError} `usage` if a session is not orphaned. Then none is dismissed.
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
      for (const entry of entries)
        await recordOnce(journal(), entry, { type: 'session.dismissed' });
    });
  }

  /** Opens the journal when the first result arrives: a stop sends its request first. */
  async #withJournal(
    onFailure: (sentence: string) => void,
    work: (journal: () => Journal) => Promise<unknown>,
  ): Promise<void> {
    let store: StateStore | undefined;
    await work(() => {
      store ??= this.#open(onFailure);
      return store.journal;
    });
    await store?.close();
  }

  #open(onFailure: (sentence: string) => void): StateStore {
    const { version } = packageJson;
    return openFileStore(this.#directory, { program: this.#program, version, onFailure });
  }

  /**
   * Removes old journal files. A file stays if a session in it may still run.
   *
   * @param maxAge Maximum milliseconds since the last write to a file.
   */
  async prune(maxAge: number): Promise<PruneReport> {
    const { entries } = await this.read();
    const lifetimes = new Map(
      entries.flatMap((entry) =>
        getRecordIds(entry).map((session) => [session, entry.lifecycle.maxLifetime]),
      ),
    );
    return this.journal.prune({
      maxAge,
      getLifetime: ({ session }) => lifetimes.get(session) ?? Infinity,
    });
  }
}

type SessionEvent =
  | { readonly type: 'session.stop-failed'; readonly reason: string }
  | { readonly type: 'session.stopped'; readonly wasGone: boolean }
  | { readonly type: 'session.dismissed' };

/** Records one event under each local id of a session. `sameAs` lets logs show it once. */
async function recordOnce(
  journal: Journal,
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

interface ReadSessions {
  /** Newest first. */
  readonly entries: readonly SessionInfo[];
  /** One sentence for each unreadable file. */
  readonly problems: readonly string[];
}

/**
 * Reads the sessions of all programs from the journal. Rejects if it cannot be listed.
 * Unreadable files are skipped and reported in `problems`.
 */
export async function readSessions(options: {
  readonly journal: Pick<Journal, 'readSessionFacts'>;
  readonly lifecycles: Pick<LifecycleCache, 'resolve'>;
  readonly now: () => number;
  /** Also returns sessions with these ends. Lists do not show them. */
  readonly unlisted?: readonly UnlistedEnd[];
}): Promise<ReadSessions> {
  const { journal, lifecycles, now, unlisted = [] } = options;
  const uses = new SessionActivityIndex();
  const { facts, owners, problems } = await journal.readSessionFacts({
    now: new Date(now()),
    onRecord: (record) => uses.add(record),
  });
  const sessions = [...facts]
    .map(([session, known]) => ({
      facts: known,
      use: uses.of(session),
      owner: owners.get(session),
    }))
    .filter(hasTimes)
    .filter((session) => isIncluded(session, unlisted));
  const toLifecycle = await lifecycles.resolve(getLifecycleSubjects(sessions, now()));
  return { entries: buildSessionList(sessions, toLifecycle, now()), problems };
}

/** Returns the sessions whose end depends on their runtime's timeouts. */
function getLifecycleSubjects(
  sessions: readonly SessionRecordSet[],
  now: number,
): LifecycleSubject[] {
  return sessions
    .filter(({ facts, use }) => {
      const isRevived = use.lastBegin > Math.max(...use.ends);
      const age = now - Date.parse(facts.lastActiveAt);
      return (!hasEnded(facts) || isRevived) && age < MAX_LIFETIME;
    })
    .map(({ facts }) => facts);
}

/**
 * After these ends, lists hide a session until its next use. `lost`: AgentCore never started the
 * session. `dismissed`: the user removed it.
 */
export type UnlistedEnd = 'lost' | 'dismissed';

function isIncluded(
  { facts: { end }, use }: SessionRecordSet,
  unlisted: readonly UnlistedEnd[],
): boolean {
  if (end?.how !== 'lost' && end?.how !== 'dismissed') return true;
  if (unlisted.includes(end.how)) return true;
  return use.lastBegin > Date.parse(end.at);
}

/** False if a damaged file contains no valid times for the session. */
function hasTimes({ facts: { startedAt, lastActiveAt } }: SessionRecordSet): boolean {
  return !Number.isNaN(Date.parse(startedAt)) && !Number.isNaN(Date.parse(lastActiveAt));
}
