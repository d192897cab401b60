import { createHash, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { AgentCoreError } from '../base/errors.ts';
import type { SessionOrigin, SessionRecord } from '../state/journal/records.ts';
import type { Journal } from '../state/store.ts';

/** Milliseconds with open calls before `session.active` is recorded. Short calls need no record. */
const ACTIVITY_RECORD_DELAY_MS = 500;

/** Gets a record when the session starts, and if its state changes. */
export type SessionJournal = Pick<Journal, 'record' | 'recordNow'>;

/** The facts shared by all sessions of a process. */
export type CommonOrigin = Omit<SessionOrigin, 'runtimeSessionId'>;

/**
 * A runtime session of this process: its ids, its open calls, and whether it may have a microVM.
 * Each change is written to the journal. `SessionManager` starts and stops sessions.
 */
export class RuntimeSession {
  /** Runtime session id in each invoke of the session. */
  readonly id: string;
  /** MCP version negotiated by `initialize`. */
  protocolVersion: string | undefined;
  readonly #origin: CommonOrigin;
  readonly #journal: SessionJournal;
  readonly #closing = new AbortController();
  #key = randomUUID();
  #onRecord: Promise<void> | undefined;
  /** True if AgentCore accepted an invoke or may have accepted it. */
  #isAccepted = false;
  /** True if an `initialize` got no response. The ids of its microVM may be unknown. */
  #startedUnseen = false;
  #mcpSessionId: string | undefined;
  #returnedId: string | undefined;
  #lastRequest = 0;
  #open = 0;
  #recordedOpen = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void)[] = [];

  constructor(id: string, origin: CommonOrigin, journal: SessionJournal) {
    this.id = id;
    this.#origin = origin;
    this.#journal = journal;
    setMaxListeners(0, this.#closing.signal);
  }

  /** Aborts before the session is stopped. A message after that would start a new microVM. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Aborts all messages of the session and refuses new ones. */
  close(): void {
    if (this.#closing.signal.aborted) return;
    const reason = 'The runtime session is being stopped, so no message can be sent in it';
    this.#closing.abort(new AgentCoreError('shutdown', reason));
  }

  /** Local id of the session in the journal. Changes if AgentCore refused all invokes so far. */
  get key(): string {
    return this.#key;
  }

  /** Routes messages of MCP 2026-07-28 (stateless era) to the same microVM. */
  get routingId(): string {
    return this.id;
  }

  /** True if the session may have a microVM and cost money. */
  get mayRun(): boolean {
    return this.#onRecord !== undefined;
  }

  /**
   * Records the session. Resolves when the record is on disk. Never rejects. Await it before each
   * invoke: the record of a session must exist before the session can cost money.
   */
  onRecord(): Promise<void> {
    if (this.#onRecord) return this.#onRecord;
    this.#onRecord = this.#journal.recordNow({
      type: 'session.started',
      at: new Date().toISOString(),
      session: this.#key,
      runtimeSessionId: this.id,
      ...this.#origin,
    });
    if (this.#returnedId ?? this.#mcpSessionId) this.#recordIds();
    return this.#onRecord;
  }

  /** Called if AgentCore accepted an invoke or may have accepted it. */
  accepted(): void {
    this.#isAccepted = true;
  }

  /** Called if an `initialize` ended without a response. It may have started a microVM. */
  startedUnseen(): void {
    this.#startedUnseen = true;
    this.accepted();
  }

  /**
   * Called if AgentCore refused an invoke or never received it. If none was accepted before and no
   * other call is open, the session has not started.
   */
  refused(): void {
    if (this.#isAccepted || this.#open > 1) return;
    this.#record({ type: 'session.lost', reason: 'AgentCore took no invoke of it' });
    this.#key = randomUUID();
    this.#onRecord = undefined;
  }

  /** `Mcp-Session-Id` from the response to `initialize`. Later requests must repeat it. */
  get mcpSessionId(): string | undefined {
    return this.#mcpSessionId;
  }

  /** Stores the ids from a response. The runtime session id may differ from the sent one. */
  learnIds(ids: {
    readonly returnedId?: string;
    readonly mcpSessionId?: string | undefined;
  }): void {
    const { returnedId = this.#returnedId, mcpSessionId = this.#mcpSessionId } = ids;
    // Only the response of a microVM contains a runtime session id, even if it is an error.
    if (ids.returnedId !== undefined) this.#isAccepted = true;
    if (returnedId === this.#returnedId && mcpSessionId === this.#mcpSessionId) return;
    this.#returnedId = returnedId;
    this.#mcpSessionId = mcpSessionId;
    this.#recordIds();
  }

  /** Request ids start at 1 in each session, because each has its own microVM. */
  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  /** Registers a call. The caller must call the returned function when the call has ended. */
  callBegins(): () => void {
    this.#open++;
    this.#timer ??= setTimeout(() => this.#recordActivity(), ACTIVITY_RECORD_DELAY_MS).unref();
    return () => {
      this.#open--;
      if (this.#open > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#recordedOpen > 0) this.#recordActivity();
      for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  /** Resolves when no call is open. */
  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** Records the end of the program. The session stays on purpose. */
  left(): void {
    this.#record({ type: 'session.left' });
  }

  /** @param wasGone True if AgentCore no longer had the session. */
  stopped(wasGone: boolean): void {
    this.#record({ type: 'session.stopped', wasGone });
  }

  /** Records a failed stop, also if the session itself is not recorded yet. */
  stopFailed(reason: string): void {
    void this.onRecord();
    this.#record({ type: 'session.stop-failed', reason });
  }

  /**
   * True if a response contained an id, and each `initialize` got a response. If false, the id of a
   * microVM may be unknown.
   */
  get isIdentified(): boolean {
    return !this.#startedUnseen && (this.#returnedId ?? this.#mcpSessionId) !== undefined;
  }

  /** Possible ids for StopRuntimeSession, the likelier one first. */
  get stopIds(): readonly string[] {
    const ids = [this.#returnedId ?? this.id, this.#mcpSessionId];
    return [...new Set(ids.filter((id) => id !== undefined))];
  }

  #recordIds(): void {
    const [returnedId, mcpSessionId] = [this.#returnedId, this.#mcpSessionId];
    this.#record({ type: 'session.identified', returnedId, mcpSessionId });
  }

  #recordActivity(): void {
    this.#recordedOpen = this.#open;
    this.#record({ type: 'session.active', open: this.#open });
  }

  #record(record: Unstamped<SessionRecord>): void {
    if (!this.#onRecord) return;
    const at = new Date().toISOString();
    this.#journal.record({ ...record, at, session: this.#key } as SessionRecord);
  }
}

type Unstamped<R> = R extends SessionRecord ? Omit<R, 'at' | 'session'> : never;

/**
 * Scope of a runtime session. `session`: one per process. `identity`: one per IAM identity, shared
 * by all machines. `request`: one per request.
 */
export const SESSION_MODES = ['session', 'identity', 'request'] as const;

export type SessionMode = (typeof SESSION_MODES)[number];

/** Creates a unique runtime session id of 50 characters. AgentCore accepts 33 to 100. */
export function createSessionId(): string {
  return `agentcore-mcp-${randomUUID()}`;
}

/** Derives the runtime session id of an IAM identity for a runtime endpoint: 78 characters. */
export function deriveIdentitySessionId(identity: {
  /** The caller's ARN, from STS GetCallerIdentity. */
  readonly callerArn: string;
  readonly runtimeArn: string;
  readonly qualifier: string | undefined;
}): string {
  const { callerArn, runtimeArn, qualifier = '' } = identity;
  const digest = createHash('sha256').update([callerArn, runtimeArn, qualifier].join('\n'));
  return `agentcore-mcp-${digest.digest('hex')}`;
}
