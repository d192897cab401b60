import type { HttpReply } from '../http/post.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';

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

/** Transport to an MCP server over Streamable HTTP. */
export interface Upstream {
  /** Kind of server, as named in error messages. */
  readonly noun: 'runtime' | 'gateway';
  /** Sends the message. Resolves with the reply after its headers, for every status. */
  invoke(invocation: OutgoingMessage): Promise<HttpReply>;
  /**
   * Converts a reply with a status other than 2xx to the response of its request. Returns the
   * server's JSON-RPC error if the body contains one.
   *
   * @param request The request as sent; `undefined` for a notification or a response.
   * @throws {AgentCoreError} `upstream` if the body contains no error for the request.
   */
  readRefusal(reply: HttpReply, request: JsonRpcRequest | undefined): Promise<JsonRpcResponse>;
  /**
   * Renews the caller's authorization after a rejection. True if another attempt may succeed.
   *
   * @param thrown The error of the rejected call.
   * @param since Start of the rejected call (`performance.now()`).
   */
  renewAfter(thrown: unknown, since: number): Promise<boolean>;
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
