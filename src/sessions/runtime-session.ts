import { createHash, randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { AgentCoreError } from '../base/errors.ts';
import type { JournalRecord, SessionOrigin, SessionRecord } from '../state/journal/records.ts';

/** Milliseconds of work after which the journal says that a session is at work. */
const WORTH_RECORDING = 500;

/** Where a session's life is written down. */
export interface SessionJournal {
  record(record: JournalRecord): void;
  /** Resolves when the record is on disk, or cannot get there; never rejects. */
  recordNow(record: JournalRecord): Promise<void>;
}

/** What all sessions of a process have in common. */
export type CommonOrigin = Omit<SessionOrigin, 'runtimeSessionId'>;

/** A runtime session, as far as this process knows it. All that it learns goes into the journal. */
export class RuntimeSession {
  /** What every invoke of the session carries as runtime session id. */
  readonly id: string;
  /** The version of MCP that `initialize` ended with. */
  protocolVersion: string | undefined;
  readonly #origin: CommonOrigin;
  readonly #journal: SessionJournal;
  readonly #closing = new AbortController();
  #key = randomUUID();
  #onRecord: Promise<void> | undefined;
  /** True once AgentCore took an invoke, or may have. */
  #isAccepted = false;
  /** True if an `initialize` got no answer: the microVM that it started may go by unknown ids. */
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

  /** Its name in the journal; another one after nothing had come of the first. */
  get key(): string {
    return this.#key;
  }

  /** What routes the messages of MCP 2026-07-28, which has no sessions. */
  get routingId(): string {
    return this.id;
  }

  /** True where it may have a microVM, which costs money. */
  get mayRun(): boolean {
    return this.#onRecord !== undefined;
  }

  /** To be awaited before each invoke, so that no session begins that is not on record. */
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

  /** AgentCore took an invoke, or may have. */
  accepted(): void {
    this.#isAccepted = true;
  }

  startedUnseen(): void {
    this.#startedUnseen = true;
    this.accepted();
  }

  /**
   * AgentCore refused an invoke, or never heard of it: if that was the first, nothing has begun,
   * unless another one that is under way begins it.
   */
  refused(): void {
    if (this.#isAccepted || this.#open > 1) return;
    this.#record({ type: 'session.lost', reason: 'AgentCore took no invoke of it' });
    this.#key = randomUUID();
    this.#onRecord = undefined;
  }

  /** What the server answered `initialize` with as `Mcp-Session-Id`, to be echoed from then on. */
  get mcpSessionId(): string | undefined {
    return this.#mcpSessionId;
  }

  /** The ids that an answer brought; the runtime session id may be another one than was sent. */
  learnIds(ids: {
    readonly returnedId?: string;
    readonly mcpSessionId?: string | undefined;
  }): void {
    const { returnedId = this.#returnedId, mcpSessionId = this.#mcpSessionId } = ids;
    // Only a microVM's answer names a runtime session, whatever else it says.
    if (ids.returnedId !== undefined) this.#isAccepted = true;
    if (returnedId === this.#returnedId && mcpSessionId === this.#mcpSessionId) return;
    this.#returnedId = returnedId;
    this.#mcpSessionId = mcpSessionId;
    this.#recordIds();
  }

  /** Request ids count anew in each session, as its microVM does. */
  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  /** A call begins; the function that is returned is to be called when it has ended. */
  callBegins(): () => void {
    this.#open++;
    this.#timer ??= setTimeout(() => this.#recordActivity(), WORTH_RECORDING).unref();
    return () => {
      this.#open--;
      if (this.#open > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (this.#recordedOpen > 0) this.#recordActivity();
      for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /** The program ends, and the session is meant to stay for others. */
  left(): void {
    this.#record({ type: 'session.left' });
  }

  stopped(wasGone: boolean): void {
    this.#record({ type: 'session.stopped', wasGone });
  }

  stopFailed(reason: string): void {
    void this.onRecord();
    this.#record({ type: 'session.stop-failed', reason });
  }

  /** False as long as no answer has told by which ids AgentCore knows all that the session began. */
  get isIdentified(): boolean {
    return !this.#startedUnseen && (this.#returnedId ?? this.#mcpSessionId) !== undefined;
  }

  /** The ids by which StopRuntimeSession may know the session, the likelier one first. */
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
 * How long a runtime session lives on our side: as long as the process, as long as the IAM identity
 * (the same on every machine), or for one request.
 */
export const SESSION_MODES = ['session', 'identity', 'request'] as const;

export type SessionMode = (typeof SESSION_MODES)[number];

/** A runtime session id that nobody else has: 50 characters of the 33 to 100 that AgentCore takes. */
export function createSessionId(): string {
  return `agentcore-mcp-${randomUUID()}`;
}

/** The runtime session id that an identity has with a runtime endpoint, 78 characters. */
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
