/**
 * What the journal is made of: JSON objects, one a line. A file begins with a {@link ProgramRecord};
 * a session is named by an id of our own, `session`, because the runtime's ids are learnt later and
 * may never be. Times are ISO 8601 in UTC, durations milliseconds, sizes bytes. Readers pass over
 * types and members that they do not know.
 */
export type JournalRecord = ProgramRecord | SessionRecord | CallRecord | ErrorRecord;

/** The head of a file: who writes it. */
export interface ProgramRecord {
  readonly type: 'program';
  readonly at: string;
  /** The version of this format. */
  readonly format: 1;
  readonly host: string;
  /** Where the system tells: changes with each boot. */
  readonly bootId?: string;
  readonly pid: number;
  /** Where the system tells: the namespace in which `pid` means something. */
  readonly pidNamespace?: string;
  /** When the process started. */
  readonly startedAt: string;
  /** The same by the kernel's own clock, where it tells: no later process of that pid has it. */
  readonly processStart?: string;
  /** Which program it is: `proxy`, `cli`, `extension`. */
  readonly program: string;
  readonly version: string;
  /** The name that its user knows it by: that of the server that a client runs the proxy as. */
  readonly name?: string;
  /** Who started it. */
  readonly parentPid?: number;
  /** Counts the files of one process from 0. */
  readonly part: number;
}

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

interface OfSession {
  readonly at: string;
  readonly session: string;
  /**
   * Where several records tell of one runtime session and one event ends them all: the session that
   * the event is shown with. Logs show the others' no second time.
   */
  readonly sameAs?: string | undefined;
}

/** What is known of a session before its first invoke. */
export interface SessionOrigin {
  /** The runtime session id that its invokes carry. */
  readonly runtimeSessionId: string;
  /** The runtime's ARN. */
  readonly runtime: string;
  readonly qualifier?: string | undefined;
  readonly mode: 'session' | 'identity' | 'request';
  /** Base URL of the data plane. */
  readonly endpoint: string;
  /** What it takes to sign in the same way once more. */
  readonly profile?: string | undefined;
  readonly assumeRole?: RecordedRole | undefined;
  /** Where its invokes carry a bearer token: where that came from, never what it takes to get one. */
  readonly authorization?: 'oauth' | 'token-command' | undefined;
}

/** A role that was assumed, without its external id. */
interface RecordedRole {
  readonly arn: string;
  readonly sessionName: string;
  /** Roles that were assumed before it. */
  readonly chain?: readonly string[] | undefined;
  readonly mfaSerial?: string | undefined;
  readonly sourceIdentity?: string | undefined;
}

/** On disk before the first invoke of the session. */
export interface SessionStarted extends OfSession, SessionOrigin {
  readonly type: 'session.started';
}

/** Ids by which AgentCore knows the session. */
interface SessionIdentified extends OfSession {
  readonly type: 'session.identified';
  readonly returnedId?: string | undefined;
  readonly mcpSessionId?: string | undefined;
}

/** The session was at work at `at`, with so many calls under way. */
interface SessionActive extends OfSession {
  readonly type: 'session.active';
  readonly open: number;
}

/** The handshake was repeated, and the calls that waited went on in the session `next`. */
interface SessionReplayed extends OfSession {
  readonly type: 'session.replayed';
  readonly next: string;
  /** What made it necessary, as a sentence. */
  readonly reason: string;
  readonly milliseconds: number;
  /** Calls that were sent again. */
  readonly calls: number;
  /** True where the new server has other tools than the one before. */
  readonly toolsChanged: boolean;
}

/** There is no such session: AgentCore took none of its invokes. */
interface SessionLost extends OfSession {
  readonly type: 'session.lost';
  readonly reason: string;
}

/** The program has ended and meant the session to stay. */
interface SessionLeft extends OfSession {
  readonly type: 'session.left';
}

interface SessionStopped extends OfSession {
  readonly type: 'session.stopped';
  /** True where AgentCore did not know it any more. */
  readonly wasGone: boolean;
}

interface SessionStopFailed extends OfSession {
  readonly type: 'session.stop-failed';
  readonly reason: string;
}

/** A person no longer wants it listed, though it may still bill. */
interface SessionDismissed extends OfSession {
  readonly type: 'session.dismissed';
}

/** All that was known of a session when its program began a new file. */
export interface SessionCarried extends OfSession {
  readonly type: 'session.carried';
  readonly facts: SessionFacts;
}

/** What the records of a session add up to. */
export interface SessionFacts extends SessionOrigin {
  readonly session: string;
  readonly startedAt: string;
  readonly lastActiveAt: string;
  readonly returnedId?: string | undefined;
  readonly mcpSessionId?: string | undefined;
  /** Calls under way when it was last written. */
  readonly open: number;
  /** Calls that have ended. */
  readonly calls: number;
  /** How it ended, if it did. */
  readonly end?:
    | { readonly how: 'stopped' | 'lost' | 'left' | 'dismissed'; readonly at: string }
    | undefined;
  /** Why the latest attempt to stop it failed. */
  readonly stopFailure?: { readonly reason: string; readonly at: string } | undefined;
  /** The session that followed it when its handshake was repeated. */
  readonly next?: string | undefined;
}

/** How a request ended, as its sender saw it. */
export type CallOutcome = 'result' | 'tool-error' | 'error' | 'failed' | 'cancelled';

/** A request of the client's, once it was answered. */
export interface CallRecord {
  readonly type: 'call';
  /** When it came. */
  readonly at: string;
  readonly session?: string | undefined;
  readonly method: string;
  /** Name of the tool or prompt, or URI of the resource. */
  readonly name?: string | undefined;
  readonly milliseconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly outcome: CallOutcome;
  /** The JSON-RPC code of an error. */
  readonly code?: number | undefined;
  /** How often it was sent to the runtime. */
  readonly attempts: number;
  /** AWS's ids of the last attempt. */
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
  /** Redacted, and only where the user asked for it. */
  readonly arguments?: unknown;
  readonly result?: unknown;
}

/** Something that went wrong, in the words of the log. */
interface ErrorRecord {
  readonly type: 'error';
  readonly at: string;
  readonly session?: string | undefined;
  readonly level: string;
  readonly message: string;
}
