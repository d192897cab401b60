import { formatRecord, getRecordTime, isWanted } from '../../sessions/format.ts';
import type { Audited } from '../../state/audit/recent.ts';
import type { AuditedRequest } from '../../state/audit/records.ts';
import type { JournalRecord, ProgramRecord } from '../../state/journal/records.ts';

/** Filters log entries by kind and session. */
export interface LogFilter {
  readonly kinds: ReadonlySet<LogKind>;
  /** Session record ids. Absent for all sessions. */
  readonly sessions?: ReadonlySet<string> | undefined;
}

export const LOG_KINDS = ['replays', 'errors', 'calls', 'decisions', 'sessions'] as const;

export type LogKind = (typeof LOG_KINDS)[number];

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

/** Hidden here, because the Sessions view shows them better. */
const OF_SESSIONS: readonly string[] = ['session.active', 'session.identified'];

/** Returns `undefined` if the log does not show this type of record. */
export function toLogEntry(record: JournalRecord, head: ProgramRecord): LogEntry | undefined {
  if (OF_SESSIONS.includes(record.type) || formatRecord(record) === undefined) return undefined;
  return { record, head, at: Date.parse(getRecordTime(record)) };
}

export function toAuditLogEntry({ record, head }: Audited): LogEntry {
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
