import { setMaxListeners } from 'node:events';

/** A message to the server, with its session and HTTP headers. */
export interface OutgoingMessage {
  readonly session: UpstreamSession;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** Called right before the request leaves the machine. */
  readonly onSend?: () => void;
  /** True if an open call may depend on this message. It may exceed the connection limit. */
  readonly urgent?: boolean;
  /** True if the reply is a long-lived stream. It may be silent while it is open. */
  readonly longLived?: boolean;
}

/** A server for MCP over Streamable HTTP: what differs between runtimes and gateways. */
export interface HttpTarget {
  /** Kind of server, as named in error messages. */
  readonly noun: 'runtime' | 'gateway';
  /** ARN or URL. */
  readonly name: string;
  readonly url: URL;
  /** Header with the session id, if the server routes by it. Also in replies of a microVM. */
  readonly sessionHeader?: string;
  readonly statusDescriptions: Readonly<Record<number, StatusDescription>>;
}

/** The meaning of an HTTP status, as parts of an error message. */
export interface StatusDescription {
  /** JSON-RPC error code for the client. */
  readonly code: number;
  /** The cause, as a sentence without a period. */
  readonly what: string;
  /** The user's next step, as a phrase. */
  readonly todo: string;
}

/** State of a session with a server. */
export interface UpstreamSession {
  /** The proxy's id for the session. For a runtime, it is the runtime session id. */
  readonly id: string;
  /** Key in the journal; `undefined` if the session is not recorded. */
  readonly key: string | undefined;
  /** Routing id for messages of MCP 2026-07-28, which has no sessions; `undefined` if unused. */
  readonly routingId: string | undefined;
  /** Aborts before the session is stopped. After that, nothing may be sent in it. */
  readonly closing: AbortSignal;
  /** True if the session may have started. */
  readonly mayRun: boolean;
  /** MCP version negotiated by `initialize`. */
  protocolVersion: string | undefined;
  /** The `Mcp-Session-Id` from the response to `initialize`. Later requests must repeat it. */
  readonly mcpSessionId: string | undefined;
  /** Returns the next JSON-RPC request id. Ids start at 1 in each session. */
  nextRequestNumber(): number;
  /** Registers a call. The caller must call the returned function when the call has ended. */
  callBegins(): () => void;
  /** Resolves when no call is open. */
  idle(): Promise<void>;
  /** Resolves when the journal has a record of the session. Must precede each send. */
  onRecord(): Promise<void>;
  /**
   * Stores ids from a reply. If it contains a runtime session id, a microVM replied, so the session
   * has started.
   */
  learnIds(ids: { readonly returnedId?: string; readonly mcpSessionId?: string | undefined }): void;
  /** Called during a call if the server received a message or may have received it. */
  accepted(): void;
  /** Like `accepted`, for an `initialize` without a response: it may have started a microVM. */
  startedUnseen(): void;
  /** Called during a call if AgentCore rejected a message or never received it. */
  refused(): void;
}

/** Starts and ends sessions with the server. */
export interface UpstreamSessions {
  /** Creates a session. Its first message starts it at the server. */
  begin(id: string): UpstreamSession;
  /** No further request will use the session. */
  end(session: UpstreamSession): void;
  /** Detaches the session: this process stops using it, and it continues at the server. */
  leave(session: UpstreamSession): void;
  /** Another session replaces it under the same id. */
  supersede(session: UpstreamSession): void;
}

/**
 * A client's session with a gateway. It has no microVM and costs nothing, so it is not recorded in
 * the journal. The gateway ends it after at most eight hours.
 */
class UnrecordedSession implements UpstreamSession {
  readonly id: string;
  readonly key = undefined;
  readonly routingId = undefined;
  /** Never aborts, because nothing stops the session. */
  readonly closing = new AbortController().signal;
  protocolVersion: string | undefined;
  mcpSessionId: string | undefined;
  mayRun = false;
  #lastRequest = 0;
  #open = 0;
  #onIdle: (() => void)[] = [];

  constructor(id: string) {
    this.id = id;
    setMaxListeners(0, this.closing);
  }

  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  callBegins(): () => void {
    this.#open++;
    return () => {
      if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async onRecord(): Promise<void> {}

  learnIds({ mcpSessionId = this.mcpSessionId }: { readonly mcpSessionId?: string | undefined }) {
    this.mcpSessionId = mcpSessionId;
  }

  accepted(): void {
    this.mayRun = true;
  }

  startedUnseen(): void {
    this.accepted();
  }

  refused(): void {}
}

/** The sessions of this process with a gateway. */
export class UnrecordedSessions implements UpstreamSessions {
  begin(id: string): UpstreamSession {
    return new UnrecordedSession(id);
  }

  end(): void {}

  leave(): void {}

  supersede(): void {}
}
