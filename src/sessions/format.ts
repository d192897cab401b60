import { formatTime, pluralize, sanitizeForTerminal } from '../base/format.ts';
import type { CallRecord, JournalRecord, ProgramRecord } from '../state/journal/records.ts';
import type { SessionInfo } from './session-info.ts';

/** Text about sessions and journal records, for lists and logs. */

/**
 * Formats notes about a session: unknown id, failed stop, assumed timeouts, program elsewhere.
 * Returns sentences without a full stop.
 */
export function formatSessionNotes(entry: SessionInfo): readonly string[] {
  const { mayBillUntil, stopFailure, lifecycle, programs } = entry;
  const notes: string[] = [];
  const until = mayBillUntil && formatTime(mayBillUntil);
  const isWatched = programs.some(({ liveness }) => liveness === 'alive');
  if (until && !entry.idsKnown && !isWatched) {
    notes.push(`id unknown, may be billed until ${until}: AgentCore's answer was not recorded`);
  } else if (entry.mayRunOn) {
    notes.push(
      `calls were in progress when its program ended, and may have continued; it may be billed until ${until}`,
    );
  }
  if (stopFailure) {
    notes.push(`could not be stopped at ${formatTime(stopFailure.at)}: ${stopFailure.reason}`);
  }
  if (entry.state === 'expired' && lifecycle.source === 'assumed') {
    notes.push('expired if its runtime has the default timeouts, which it could not be asked');
  }
  const host = programs.find(({ liveness }) => liveness === 'elsewhere')?.host;
  if (host && entry.mayBill) {
    notes.push(`its program runs on ${host}; whether it is alive is known there only`);
  }
  return notes;
}

/** The runtime's name from its ARN. `:qualifier` is added if it is not `DEFAULT`. */
export function formatRuntimeName({
  runtime,
  qualifier,
}: Pick<SessionInfo, 'runtime' | 'qualifier'>): string {
  const name = runtime.slice(runtime.lastIndexOf('/') + 1);
  return qualifier === undefined || qualifier === 'DEFAULT' ? name : `${name}:${qualifier}`;
}

/** Selects journal records. Without `errors`, `replays` and `calls`, all types are selected. */
export interface RecordFilter {
  readonly errors?: boolean | undefined;
  readonly replays?: boolean | undefined;
  readonly calls?: boolean | undefined;
  /** Local ids of sessions. If set, records of other sessions are left out. */
  readonly sessions?: ReadonlySet<string> | undefined;
}

/** True if the filter selects the record. */
export function isWanted(record: JournalRecord, filter: RecordFilter): boolean {
  const { errors, replays, calls, sessions } = filter;
  const { session } = record as { readonly session?: string };
  const next = record.type === 'session.replayed' ? record.next : undefined;
  if (sessions && ![session, next].some((id) => id !== undefined && sessions.has(id))) return false;
  if (!errors && !replays && !calls) return true;
  return Boolean(
    (errors && isFailure(record)) ||
      (replays && record.type === 'session.replayed') ||
      (calls && record.type === 'call'),
  );
}

function isFailure(record: JournalRecord): boolean {
  if (record.type === 'call') return !['result', 'cancelled'].includes(record.outcome);
  return ['error', 'session.lost', 'session.stop-failed'].includes(record.type);
}

/** ISO 8601 time of the event. The start of the program, because its file may start later. */
export function getRecordTime(record: JournalRecord): string {
  return record.type === 'program' ? (record.startedAt ?? record.at) : record.at;
}

/**
 * Formats a record as one line for people. Returns `undefined` if only programs need the record.
 *
 * @param head The writing program. If given, the line contains its name and pid.
 */
export function formatRecordLine(record: JournalRecord, head?: ProgramRecord): string | undefined {
  const words = formatRecord(record);
  if (words === undefined) return undefined;
  const { session } = record as { readonly session?: string };
  const who = head && `${head.program} ${head.pid}`.padEnd(12);
  const which = session === undefined ? undefined : sanitizeForTerminal(session).slice(0, 8);
  // Names and messages come from servers and may contain control sequences for a terminal.
  return [
    formatTime(getRecordTime(record)),
    who,
    (which ?? '-').padEnd(8),
    sanitizeForTerminal(words),
  ]
    .filter((part) => part !== undefined)
    .join('  ');
}

/** The text of a record without time and program, or `undefined` if only programs need it. */
export function formatRecord(record: JournalRecord): string | undefined {
  if ('sameAs' in record) return undefined;
  switch (record.type) {
    case 'program':
      return record.part === 0
        ? `${record.program} ${record.version} started on ${record.host}`
        : undefined;
    case 'session.carried':
      return undefined;
    case 'session.started': {
      const { mode, runtimeSessionId } = record;
      return `session started on ${formatRuntimeName(record)}, mode "${mode}", runtime session ${runtimeSessionId}`;
    }
    case 'session.identified': {
      const { returnedId, mcpSessionId } = record;
      const ids = [
        returnedId === undefined ? undefined : `runtime session ${returnedId}`,
        mcpSessionId === undefined ? undefined : `MCP session ${mcpSessionId}`,
      ];
      return `session known as ${ids.filter(Boolean).join(', ') || 'nothing new'}`;
    }
    case 'session.active':
      return record.open === 0
        ? 'no call in progress'
        : `${pluralize(record.open, 'call')} in progress`;
    case 'session.replayed': {
      const { next, reason, milliseconds, calls, toolsChanged } = record;
      const tools = toolsChanged ? ', its tools have changed' : '';
      return `handshake repeated in ${Math.round(milliseconds)} ms, ${pluralize(calls, 'call')} sent again${tools}, continues as ${next.slice(0, 8)}: ${reason}`;
    }
    case 'session.lost':
      return `session lost: ${record.reason}`;
    case 'session.left':
      return 'session left running';
    case 'session.stopped':
      return record.wasGone ? 'session had already ended' : 'session stopped';
    case 'session.stop-failed':
      return `session could not be stopped: ${record.reason}`;
    case 'session.dismissed':
      return 'session dismissed';
    case 'call':
      return formatCall(record);
    case 'error':
      return `${record.level ?? 'error'}: ${record.message}`;
  }
}

const OUTCOMES: Readonly<Record<string, string>> = {
  result: 'result',
  'tool-error': 'the tool reported an error',
  error: 'error',
  failed: 'failed',
  cancelled: 'cancelled',
};

function formatCall(call: CallRecord): string {
  const { method, name, outcome, code, milliseconds, bytesIn, bytesOut, attempts } = call;
  const called = name === undefined ? method : `${method} ${name}`;
  const ended = code === undefined ? (OUTCOMES[outcome] ?? outcome) : `${outcome} ${code}`;
  const sizes = `${bytesIn ?? 0} B in, ${bytesOut ?? 0} B out`;
  const again = attempts > 1 ? `, ${attempts} attempts` : '';
  const request = call.requestId === undefined ? '' : `, request ${call.requestId}`;
  return `${called}: ${ended} in ${Math.round(milliseconds)} ms (${sizes}${again}${request})`;
}
