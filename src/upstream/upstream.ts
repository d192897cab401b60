import type { HttpReply } from '../http/post.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';

/** A message to send to the server. */
export interface OutgoingMessage {
  readonly session: UpstreamSession;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** Called right before the request leaves the machine. */
  readonly onSend?: () => void;
  /** True if an open call may wait for this message. */
  readonly urgent?: boolean;
  /** True for a stream that may be silent while it is open. */
  readonly longLived?: boolean;
}

/** Transport to an MCP server over Streamable HTTP. */
export interface Upstream {
  /** Name of the server in messages. */
  readonly noun: 'runtime' | 'gateway';
  /** Resolves with the head of the reply, whatever its status. */
  invoke(invocation: OutgoingMessage): Promise<HttpReply>;
  /**
   * Converts a reply with a status other than 2xx to the response of its request. Returns the
   * server's JSON-RPC error if the body contains one.
   *
   * @param request The request as sent; `undefined` for a notification or a response.
   * @throws {AgentCoreError} `upstream` otherwise.
   */
  readRefusal(reply: HttpReply, request: JsonRpcRequest | undefined): Promise<JsonRpcResponse>;
  /**
   * Renews the caller's authorization. True if another attempt may succeed.
   *
   * @param since Start of the rejected call (`performance.now()`).
   */
  renewAfter(thrown: unknown, since: number): Promise<boolean>;
}

/** State of a session with a server. */
export interface UpstreamSession {
  /** Our own id, used to start the session. */
  readonly id: string;
  /** Name in the journal, if the session is recorded. */
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
  /** Request ids start at 1 in each session. */
  nextRequestNumber(): number;
  /** Registers a call. The caller must call the returned function when the call has ended. */
  callBegins(): () => void;
  /** Resolves when no call is open. */
  idle(): Promise<void>;
  /** Resolves when the session is recorded. Await it before each invoke. */
  onRecord(): Promise<void>;
  /**
   * Stores ids from a reply. If it contains a runtime session id, a microVM replied, so the session
   * has started.
   */
  learnIds(ids: { readonly returnedId?: string; readonly mcpSessionId?: string | undefined }): void;
  /** Called during a call if the server received an invoke or may have received it. */
  accepted(): void;
  /** As `accepted`, if an `initialize`, which may start a microVM, ended without a response. */
  startedUnseen(): void;
  /** Called during a call if the server rejected the invoke or never received it. */
  refused(): void;
}

/** Starts and ends sessions. */
export interface UpstreamSessions {
  begin(id: string): UpstreamSession;
  /** No further request will use the session. */
  end(session: UpstreamSession): void;
  /** The session may continue without this process. */
  leave(session: UpstreamSession): void;
  /** Another session replaces it under the same id. */
  supersede(session: UpstreamSession): void;
}
