import { findSpanAt } from '../../mcp/json-spans.ts';
import type { JsonRpcResponse } from '../../mcp/message.ts';

/** The record types of the journal: how each is serialized, parsed and checked. */

/** Returns the outcome of a request with a response: `result`, `tool-error` or `error`. */
export function getCallOutcome(response: JsonRpcResponse): CallOutcome {
  if (response.error) return 'error';
  return isToolError(response) ? 'tool-error' : 'result';
}

/** Searches the bytes first and parses only on a match, because a response may be large. */
function isToolError({ bytes }: JsonRpcResponse): boolean {
  if (!bytes.includes('"isError"')) return false;
  const span = findSpanAt(bytes, ['result', 'isError']);
  return span !== undefined && bytes.toString('latin1', span.start, span.end) === 'true';
}

/**
 * Records of the journal: JSON objects, one per line. A file starts with a {@link ProgramRecord}.
 * `session` is a local ID, because IDs from the runtime arrive later or never. Times are ISO 8601
 * in UTC, durations in milliseconds, sizes in bytes. Readers ignore unknown types and members.
 */
export type JournalRecord = ProgramRecord | SessionRecord | CallRecord | ErrorRecord;

/** The head of a file: identifies the writing program. */
export interface ProgramRecord {
  readonly type: 'program';
  readonly at: string;
  /** The version of this format. */
  readonly format: 1;
  readonly host: string;
  /** Changes with each boot. Absent if the system does not provide it. */
  readonly bootId?: string;
  readonly pid: number;
  /** The namespace of `pid`. Absent if the system does not provide it. */
  readonly pidNamespace?: string;
  /** Start time of the process. */
  readonly startedAt: string;
  /**
   * Start time by the kernel's clock, if available. Identifies the process even if its process ID
   * is reused.
   */
  readonly processStart?: string;
  /** The program: `proxy`, `cli`, `extension`. */
  readonly program: string;
  readonly version: string;
  /** Display name: the name of the server in the client that runs the proxy. */
  readonly name?: string;
  /** Process ID of the program that started it. */
  readonly parentPid?: number;
  /** Counts the files of one process from 0. */
  readonly part: number;
}

/** An event of a session. A stop by another program is in the files of the other program. */
export type SessionRecord =
  | SessionStarted
  | SessionIdentified
  | SessionActive
  | SessionReplayed
  | SessionLost
  | SessionLeft
  | SessionStopped
  | SessionStopFailed
  | SessionDismissed
  | SessionCarried;

/** True if the record belongs to a session. Calls and errors do not count. */
export function isSessionRecord(record: JournalRecord): record is SessionRecord {
  return record.type.startsWith('session.');
}

interface SessionRecordBase {
  readonly at: string;
  readonly session: string;
  /**
   * Set if several records describe one runtime session and one event ends them all: the session
   * under which the event is shown. Logs skip the event for the other sessions.
   */
  readonly sameAs?: string | undefined;
}

/** The facts about a session before its first invoke. */
export interface SessionOrigin {
  /** The runtime session ID in its invokes. */
  readonly runtimeSessionId: string;
  /** The runtime's ARN. */
  readonly runtime: string;
  readonly qualifier?: string | undefined;
  readonly mode: 'session' | 'identity' | 'request';
  /** Base URL of the data plane. */
  readonly endpoint: string;
  /** Sign-in settings, needed to sign in again in the same way. */
  readonly profile?: string | undefined;
  readonly assumeRole?: RecordedRole | undefined;
  /** Source of the bearer token, if invokes carry one. Never contains credentials. */
  readonly authorization?: 'oauth' | 'token-command' | undefined;
}

/** An assumed role, without its external ID. */
interface RecordedRole {
  readonly arn: string;
  readonly sessionName: string;
  /** Roles assumed before it. */
  readonly chain?: readonly string[] | undefined;
  readonly mfaSerial?: string | undefined;
  readonly sourceIdentity?: string | undefined;
}

/** Written to disk before the first invoke of the session. */
export interface SessionStarted extends SessionRecordBase, SessionOrigin {
  readonly type: 'session.started';
}

/** IDs from AgentCore for the session. */
interface SessionIdentified extends SessionRecordBase {
  readonly type: 'session.identified';
  readonly returnedId?: string | undefined;
  readonly mcpSessionId?: string | undefined;
}

/** The session was active at `at`, with this many open calls. */
interface SessionActive extends SessionRecordBase {
  readonly type: 'session.active';
  readonly open: number;
}

/** The handshake was repeated, and the pending calls continued in the session `next`. */
interface SessionReplayed extends SessionRecordBase {
  readonly type: 'session.replayed';
  readonly next: string;
  /** The cause, as a sentence. */
  readonly reason: string;
  readonly milliseconds: number;
  /** Number of calls sent again. */
  readonly calls: number;
  /** True if the new server has different tools. */
  readonly toolsChanged: boolean;
}

/** The session does not exist: AgentCore accepted none of its invokes. */
interface SessionLost extends SessionRecordBase {
  readonly type: 'session.lost';
  readonly reason: string;
}

/** The program ended and kept the session on purpose. */
interface SessionLeft extends SessionRecordBase {
  readonly type: 'session.left';
}

interface SessionStopped extends SessionRecordBase {
  readonly type: 'session.stopped';
  /** True if AgentCore no longer had the session. */
  readonly wasGone: boolean;
}

interface SessionStopFailed extends SessionRecordBase {
  readonly type: 'session.stop-failed';
  readonly reason: string;
}

/** The user removed it from the list, although it may still incur cost. */
interface SessionDismissed extends SessionRecordBase {
  readonly type: 'session.dismissed';
}

/** All facts about a session at the start of a new file. */
export interface SessionCarried extends SessionRecordBase {
  readonly type: 'session.carried';
  readonly facts: SessionFacts;
}

/** The reduced records of a session. */
export interface SessionFacts extends SessionOrigin {
  readonly session: string;
  readonly startedAt: string;
  readonly lastActiveAt: string;
  readonly returnedId?: string | undefined;
  readonly mcpSessionId?: string | undefined;
  /** Open calls at the time of the last record. */
  readonly open: number;
  /** Number of ended calls. */
  readonly calls: number;
  /** The end of the session, if it has ended. */
  readonly end?:
    | { readonly how: 'stopped' | 'lost' | 'left' | 'dismissed'; readonly at: string }
    | undefined;
  /** Failure of the latest attempt to stop the session. */
  readonly stopFailure?: { readonly reason: string; readonly at: string } | undefined;
  /** The next session after a repeated handshake. */
  readonly next?: string | undefined;
}

/** The outcome of a request for its sender. */
export type CallOutcome = 'result' | 'tool-error' | 'error' | 'failed' | 'cancelled';

/** An ended request of a client. */
export interface CallRecord {
  readonly type: 'call';
  /** Arrival time. */
  readonly at: string;
  readonly session?: string | undefined;
  readonly method: string;
  /** Name of the tool or prompt, or URI of the resource. */
  readonly name?: string | undefined;
  readonly milliseconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly outcome: CallOutcome;
  /** The JSON-RPC error code. */
  readonly code?: number | undefined;
  /** Number of attempts to send it to the runtime. */
  readonly attempts: number;
  /** IDs from AWS for the last attempt. */
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
  /** Redacted, and present only if the user enabled it. */
  readonly arguments?: unknown;
  readonly result?: unknown;
}

/** An error or warning, with the text of the log. */
interface ErrorRecord {
  readonly type: 'error';
  readonly at: string;
  readonly session?: string | undefined;
  readonly level: string;
  readonly message: string;
}

/** Serializes a record as a line, including the line feed. */
export function serializeRecord(record: JournalRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Parses a line. Returns `unknown` for record types of later versions and `damaged` for invalid
 * lines.
 */
export function parseRecord(line: string): JournalRecord | 'unknown' | 'damaged' {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'damaged';
  }
  if (!isObject(value) || typeof value.type !== 'string') return 'damaged';
  const shape = SHAPES.get(value.type);
  if (!shape) return 'unknown';
  return isTime(value.at) && hasShape(value, shape)
    ? (value as unknown as JournalRecord)
    : 'damaged';
}

type Kind = 'string' | 'number' | 'boolean';

type Shape = Readonly<Record<string, Kind>>;

const ORIGIN = {
  runtimeSessionId: 'string',
  runtime: 'string',
  mode: 'string',
  endpoint: 'string',
} as const;

const OF_SESSION = { session: 'string' } as const;

/** The required members of each record type. Readers must check optional members themselves. */
const SHAPES: ReadonlyMap<string, Shape> = new Map<JournalRecord['type'], Shape>([
  [
    'program',
    { format: 'number', host: 'string', pid: 'number', part: 'number', program: 'string' },
  ],
  ['session.started', { ...OF_SESSION, ...ORIGIN }],
  ['session.identified', OF_SESSION],
  ['session.active', { ...OF_SESSION, open: 'number' }],
  ['session.replayed', { ...OF_SESSION, next: 'string' }],
  ['session.lost', OF_SESSION],
  ['session.left', OF_SESSION],
  ['session.stopped', OF_SESSION],
  ['session.stop-failed', OF_SESSION],
  ['session.dismissed', OF_SESSION],
  ['session.carried', OF_SESSION],
  ['call', { method: 'string', milliseconds: 'number' }],
  ['error', { message: 'string' }],
]);

const FACTS: Shape = {
  ...ORIGIN,
  ...OF_SESSION,
  startedAt: 'string',
  lastActiveAt: 'string',
  open: 'number',
  calls: 'number',
};

function hasShape(value: Record<string, unknown>, shape: Shape): boolean {
  for (const member in shape) {
    if (typeof value[member] !== shape[member]) return false;
  }
  if (value.type !== 'session.carried') return true;
  const facts = value.facts;
  return (
    isObject(facts) && Object.entries(FACTS).every(([name, kind]) => typeof facts[name] === kind)
  );
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The maximum `maxLifetime` of a runtime, 14 days, in milliseconds. */
export const MAX_LIFETIME = 14 * 24 * 60 * 60 * 1000;
