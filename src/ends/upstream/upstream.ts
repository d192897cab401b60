import type { Reply } from '../../aws/post.ts';
import type { Request, Response } from '../../mcp/message.ts';

/** A message on its way to the server. */
export interface Invocation {
  readonly session: UpstreamSession;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** Called when the request is about to leave the machine. */
  readonly onSend?: () => void;
  /** True for a message that an open call may wait for. */
  readonly urgent?: boolean;
  /** True for a stream that may be silent for as long as it is open. */
  readonly longLived?: boolean;
}

/** The way to a server that speaks MCP by streamable HTTP. */
export interface Upstream {
  /** What the server is called in sentences. */
  readonly noun: 'runtime' | 'gateway';
  /** Resolves with the head of the answer, whatever its status. */
  invoke(invocation: Invocation): Promise<Reply>;
  /**
   * What a request is answered with whose reply has another status than 2xx: the server's own
   * JSON-RPC error where there is one.
   *
   * @param request As it was sent; `undefined` for a notification or a response.
   * @throws {AgentCoreError} `upstream`, else
   */
  readRefusal(reply: Reply, request: Request | undefined): Promise<Response>;
  /**
   * True where another attempt may do, for who is calling can be said anew.
   *
   * @param since The moment (`performance.now()`) at which the refused call began.
   */
  renewAfter(thrown: unknown, since: number): Promise<boolean>;
}

/** What is known of a session with a server while it lasts. */
export interface UpstreamSession {
  /** The id of our own under which it begins. */
  readonly id: string;
  /** Its name in the journal, where it is in there. */
  readonly key: string | undefined;
  /** What routes the messages of MCP 2026-07-28, which has no sessions, where something does. */
  readonly routingId: string | undefined;
  /** True once it may have begun. */
  readonly mayRun: boolean;
  /** The version of MCP that `initialize` ended with. */
  protocolVersion: string | undefined;
  /** What the server answered `initialize` with as `Mcp-Session-Id`, to be echoed from then on. */
  readonly mcpSessionId: string | undefined;
  /** Request ids count anew in each session. */
  nextRequestNumber(): number;
  /** A call begins; the function that is returned is to be called when it has ended. */
  callBegins(): () => void;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
  /** To be awaited before each invoke. */
  onRecord(): Promise<void>;
  /** An answer that names a runtime session came from a microVM, so the session has begun. */
  learnIds(ids: { readonly returnedId?: string; readonly mcpSessionId?: string | undefined }): void;
  /** To be called while a call is under way: the server took an invoke, or may have. */
  accepted(): void;
  /** As `accepted`: it took none, or never heard of it. */
  refused(): void;
}

/** Where sessions begin and end. */
export interface UpstreamSessions {
  begin(id: string): UpstreamSession;
  /** No further request will use it. */
  end(session: UpstreamSession): void;
  /** It may go on without this process. */
  leave(session: UpstreamSession): void;
  /** Another one follows it under the same id. */
  supersede(session: UpstreamSession, successor: UpstreamSession): void;
}
