import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { WatchedValue } from '../../base/watched-value.ts';
import { formatRecord, getRecordTime, isWanted } from '../../sessions/format.ts';
import type { Audited, RecentAudit } from '../../state/audit/reader.ts';
import type { AuditedRequest } from '../../state/audit/records.ts';
import type { JournalRecord, ProgramRecord } from '../../state/journal/records.ts';
import type { SessionsModel } from './sessions-model.ts';

// The data of the Replay Log view: policy decisions from the audit, log entries and their filter.

/** Maximum number of entries in memory. The oldest ones are dropped. */
const MAX_ENTRIES = 10_000;

/** Milliseconds. For this time after the read, the journal can report its records again. */
const OVERLAP_MS = 60_000;

/** Debounce in milliseconds, after a journal record or a change of the audit directory. */
const DEBOUNCE_MS = 200;

/** Poll interval in milliseconds, for file systems without change notifications. */
const POLL_INTERVAL_MS = 10_000;

/** The journal records and the policy decisions of all programs of this user. */
export interface Activity {
  /** Oldest first. */
  readonly entries: readonly LogEntry[];
  /** The first problem of the last read. The read may have failed completely or in part. */
  readonly problem: string | undefined;
}

type JournalEvents = Pick<SessionsModel, 'value' | 'sessions' | 'onDidRecord' | 'onDidChange'>;

/** The data of the Replay Log. The first load reads the journal and starts to collect records. */
export class ActivityModel extends WatchedValue<Activity> {
  readonly #journal: JournalEvents;
  readonly #env: () => Environment;
  readonly #subscriptions: readonly { dispose(): void }[];
  /** The records since the last load. */
  #recorded: LogEntry[] = [];
  /** Keys of recent entries from the read. The journal can report them again. */
  #expected: ReadonlySet<string> = new Set();
  /** The journal problems at the last read. If they change, the journal is read again. */
  #missing: string | undefined;
  #journalProblem: string | undefined;
  #audit: Promise<RecentAudit> | undefined;

  constructor(
    journal: JournalEvents,
    env: () => Environment,
    pollIntervalMs: number = POLL_INTERVAL_MS,
  ) {
    super({
      initial: { entries: [], problem: undefined },
      load: () => this.#load(),
      isEqual: (one, other) => one.entries === other.entries && one.problem === other.problem,
      debounceMs: DEBOUNCE_MS,
      pollIntervalMs: () => pollIntervalMs,
    });
    this.#journal = journal;
    this.#env = env;
    this.#subscriptions = [
      journal.onDidRecord(({ record, head }) => {
        const entry = toLogEntry(record, head);
        if (!entry || this.#missing === undefined || this.#expected.has(getKey(entry))) return;
        this.#recorded.push(entry);
        this.invalidate();
      }),
      // An unreadable file may have become readable.
      journal.onDidChange(({ problems }) => {
        if (this.#missing !== undefined && this.#missing !== problems.join('\n')) this.invalidate();
      }),
    ];
  }

  override dispose(): void {
    super.dispose();
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #load(): Promise<Activity> {
    const missing = this.#journal.value.problems.join('\n');
    const isRead = this.#missing === missing;
    this.#missing = missing;
    const [read, audit] = await Promise.all([isRead ? [] : this.#readJournal(), this.#readAudit()]);
    const { entries } = this.value;
    // The journal may have reported the records written during the read.
    const known = new Set(read.length > 0 ? [...entries, ...this.#recorded].map(getKey) : []);
    const rest = read.filter((entry) => !known.has(getKey(entry)));
    const since = Date.now() - OVERLAP_MS;
    if (!isRead) this.#expected = new Set(rest.filter(({ at }) => at > since).map(getKey));
    const added = [...rest, ...this.#recorded, ...audit.entries];
    this.#recorded = [];
    return {
      entries: added.length > 0 ? sortByTime([...entries, ...added]).slice(-MAX_ENTRIES) : entries,
      problem: this.#journalProblem ?? audit.problem,
    };
  }

  async #readJournal(): Promise<readonly LogEntry[]> {
    try {
      const { journal } = await this.#journal.sessions();
      const { files, problems } = await journal.read();
      const read = files.flatMap(({ head, records }) =>
        records.flatMap((record) => toLogEntry(record, head) ?? []),
      );
      const isEmpty = read.length + this.value.entries.length === 0;
      this.#journalProblem = isEmpty ? undefined : problems[0];
      return read;
    } catch (thrown) {
      this.#journalProblem = getErrorMessage(thrown);
      return [];
    }
  }

  /** Returns the decisions since the last call. The first call returns the existing ones. */
  async #readAudit(): Promise<Activity> {
    try {
      this.#audit ??= import('../../state/audit/reader.ts').then(
        ({ RecentAudit }) => new RecentAudit(getStateDirectory(this.#env())),
      );
      const recent = await this.#audit;
      this.watch(recent.folder);
      const { audited, problems } = await recent.look();
      return { entries: audited.map(toAuditLogEntry), problem: problems[0] };
    } catch (thrown) {
      return { entries: [], problem: getErrorMessage(thrown) };
    }
  }
}

function sortByTime(entries: LogEntry[]): LogEntry[] {
  return entries.sort((one, other) => one.at - other.at);
}

function getKey({ record, head }: LogEntry): string {
  return JSON.stringify([head.host, head.pid, record]);
}

/** Filters log entries by kind and session. */
export interface LogFilter {
  readonly kinds: ReadonlySet<LogKind>;
  /** Session record ids. Absent for all sessions. */
  readonly sessions?: ReadonlySet<string> | undefined;
}

export const LOG_KINDS = ['replays', 'errors', 'calls', 'decisions', 'sessions'] as const;

export type LogKind = (typeof LOG_KINDS)[number];

/** The filter without restrictions: all kinds, all sessions. */
export const EVERYTHING: LogFilter = { kinds: new Set(LOG_KINDS) };

/** A journal record, or a policy decision from the audit. */
export interface LogEntry {
  readonly record: JournalRecord | AuditedRequest;
  readonly head: ProgramRecord;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The newest matching entries, newest first. */
export function filterEntries(
  entries: readonly LogEntry[],
  filter: LogFilter,
  limit: number,
): readonly LogEntry[] {
  return entries
    .filter(({ record }) => matchesFilter(record, filter))
    .sort((one, other) => other.at - one.at)
    .slice(0, limit);
}

/** Record types hidden in the Replay Log, because the Sessions view shows them better. */
const OF_SESSIONS: readonly string[] = ['session.active', 'session.identified'];

/** Returns `undefined` if the log does not show this type of record. */
export function toLogEntry(record: JournalRecord, head: ProgramRecord): LogEntry | undefined {
  if (OF_SESSIONS.includes(record.type) || formatRecord(record) === undefined) return undefined;
  return { record, head, at: Date.parse(getRecordTime(record)) };
}

function toAuditLogEntry({ record, head }: Audited): LogEntry {
  return { record, head, at: Date.parse(record.at) };
}

function matchesFilter(record: LogEntry['record'], { kinds, sessions }: LogFilter): boolean {
  if (record.type === 'audit.request') {
    const isAsked = !sessions || (record.session !== undefined && sessions.has(record.session));
    return isAsked && kinds.has('decisions');
  }
  const options = { sessions };
  if (!isWanted(record, options)) return false;
  if (kinds.has('replays') && isWanted(record, { ...options, replays: true })) return true;
  if (kinds.has('errors') && isWanted(record, { ...options, errors: true })) return true;
  if (kinds.has('calls') && record.type === 'call') return true;
  const isOfSession = record.type.startsWith('session.') && record.type !== 'session.replayed';
  return kinds.has('sessions') && (isOfSession || record.type === 'program');
}
