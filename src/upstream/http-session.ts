import { parseRetryAfter } from '../aws/error-reply.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import type { HttpReply } from '../http/post.ts';
import { createStandardHeaders, createTraceHeaders } from '../mcp/http-headers.ts';
import {
  createRequestId,
  ErrorCode,
  isObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
  parseResult,
  readIdAt,
  replaceValueAt,
  withId,
} from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';
import {
  getProtocolEra,
  isSubscriptionRequest,
  PROGRESS_TOKEN,
  REQUEST_PROGRESS_TOKEN,
  withoutEmptyCursor,
} from '../mcp/protocol.ts';
import type { CallInfo, Peer, RequestContext } from '../relay/peer.ts';
import type { ToolCatalog } from '../relay/tool-catalog.ts';
import { HttpCall } from './http-call.ts';
import type { HttpClient } from './http-client.ts';
import { isUnknownId, isUnknownSessionError, isUnknownSessionResponse } from './http-errors.ts';
import type { OutgoingMessage, UpstreamSession } from './upstream.ts';

/** Maximum bytes of a reply without an expected response. */
const SMALL_BODY = 64 * 1024;

/** A server, for all its sessions. */
export interface SessionServer {
  readonly client: HttpClient;
  readonly tools: ToolCatalog;
  /** Aborts when the program ends. */
  readonly closing: AbortSignal;
  readonly messageLimit: number;
  readonly log: Log;
  /** Progress tokens of all server requests, if each call has its own session. */
  readonly progress: ProgressTokenMap | undefined;
  /**
   * True if `initialize` offers our id as `Mcp-Session-Id`, for sharing with other processes. Set
   * to false if the server assigns its own ids.
   */
  acceptsIds: boolean;
  /**
   * True if messages of MCP 2026-07-28 carry an `Mcp-Session-Id` as a routing hint. Set to false if
   * the server treats it as an unknown session.
   */
  acceptsHints: boolean;
}

/** One session with the server. Numbers requests, adds headers, and records the ids of replies. */
export class HttpSession implements Peer {
  readonly session: UpstreamSession;
  readonly #server: SessionServer;
  readonly #calls = new Set<HttpCall>();
  #hasAnswered = false;

  constructor(server: SessionServer, session: UpstreamSession) {
    this.#server = server;
    this.session = session;
    const { closing } = session;
    closing.addEventListener('abort', () => this.close(closing.reason), { once: true });
  }

  get noun(): string {
    return this.#server.client.noun;
  }

  get messageLimit(): number {
    return this.#server.messageLimit;
  }

  get log(): Log {
    return this.#server.log;
  }

  /** True if the session ends with its only call. Server requests are then cancelled. */
  get endsWithCall(): boolean {
    return this.#server.progress !== undefined;
  }

  async request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    if (getProtocolEra(request) === 'stateless') return this.#callWithHint(request, context);
    if (request.method === 'initialize') return this.#initialize(request, context);
    return this.#call(request, context, this.session.mcpSessionId);
  }

  async notify(notification: JsonRpcNotification, context?: RequestContext): Promise<void> {
    const reply = await this.#post(notification, this.#server.closing, context?.beforeSend);
    // The message is delivered when the reply's headers arrive. Read the body in the background: it
    // may be an error of AgentCore, and the connection is free only afterwards.
    const ended = this.session.callBegins();
    reply
      .whole(SMALL_BODY)
      .then((body) => {
        const [answer] = body.length > 0 ? parseMessages(body, 'server') : [];
        if (answer?.kind === 'response' && isRefusedByPlatform(answer)) this.session.refused();
        else this.session.accepted();
      })
      .catch(() => this.session.accepted())
      .finally(() => {
        reply.discard();
        ended();
      });
  }

  /** Sends the client's response to a server request. Resolves with the reply. */
  respond(response: JsonRpcResponse, signal: AbortSignal): Promise<HttpReply> {
    return this.#post(response, signal);
  }

  /** Returns a server request as the client receives it. */
  toClientRequest(request: JsonRpcRequest): JsonRpcRequest {
    return this.#server.progress?.enter(request, this) ?? request;
  }

  /** True if a request of the session, such as `initialize`, has succeeded. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Ends all open calls. They reject with `reason`. */
  close(reason: Error): void {
    for (const call of this.#calls) call.end(reason);
  }

  /**
   * Sends the request with the routing hint. If the hint may be the cause of a rejection, sends it
   * again without the hint.
   */
  async #callWithHint(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    const hint = this.#hint;
    if (hint === undefined) return this.#call(request, context, undefined);
    try {
      const response = await this.#call(request, context, hint);
      if (!isUnknownId(response)) return response;
    } catch (thrown) {
      if (!(thrown instanceof AgentCoreError) || !isUnknownId(thrown)) throw thrown;
    }
    const response = await this.#call(request, context, undefined);
    if (!isUnknownId(response)) this.#server.acceptsHints = false;
    return response;
  }

  async #initialize(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    const { session } = this;
    let isOffered = this.#server.acceptsIds;
    let response = await this.#call(request, context, isOffered ? session.id : undefined).catch(
      (thrown) => {
        if (isOffered && isUnknownSessionError(thrown)) return undefined;
        throw thrown;
      },
    );
    if (isOffered && (!response || isUnknownSessionResponse(response))) {
      this.#refuseIds();
      isOffered = false;
      response = await this.#call(request, context, undefined);
    }
    const result = response && !response.error ? parseResult(response) : undefined;
    if (isObject(result) && typeof result.protocolVersion === 'string') {
      session.protocolVersion = result.protocolVersion;
      // The server assigned another id, so it does not accept offers. After the session has ended,
      // the server may reject an offered id with any error.
      if (isOffered && session.mcpSessionId !== session.id) this.#refuseIds();
    }
    return response as JsonRpcResponse;
  }

  #refuseIds(): void {
    this.#server.acceptsIds = false;
    this.log('warning', 'The server picks its own sessions, so they cannot be shared by identity');
  }

  /** @param mcpSessionId Value of the request's `Mcp-Session-Id`. */
  async #call(
    request: JsonRpcRequest,
    context: RequestContext,
    mcpSessionId: string | undefined,
  ): Promise<JsonRpcResponse> {
    const { session } = this;
    // Within a session, ids must be unique. Without one, the id is valid within its POST only. Keep
    // it then, because the server repeats it in subscription messages.
    const sent =
      getProtocolEra(request) === 'stateless'
        ? request
        : withId(request, createRequestId(session.nextRequestNumber()));
    const call = new HttpCall(this, sent, context);
    this.#calls.add(call);
    const attempt: Attempt = { isSent: false };
    const ended = session.callBegins();
    try {
      const response = await call.run(() => this.#send(sent, call, attempt, context, mcpSessionId));
      if (isRefusedByPlatform(response)) session.refused();
      else session.accepted();
      if (!response.error) this.#hasAnswered = true;
      return withoutEmptyCursor(sent, response);
    } catch (thrown) {
      recordFailedAttempt(session, attempt, thrown, request.method);
      throw thrown;
    } finally {
      this.#calls.delete(call);
      ended();
    }
  }

  async #send(
    request: JsonRpcRequest,
    call: HttpCall,
    attempt: Attempt,
    context: RequestContext,
    mcpSessionId: string | undefined,
  ): Promise<HttpReply | JsonRpcResponse> {
    const { session } = this;
    const answer = await this.#invoke(
      {
        signal: call.signal,
        onSend: () => {
          context.beforeSend?.();
          call.sent();
        },
        body: request.bytes,
        longLived: isSubscriptionRequest(request),
        headers: {
          ...this.#sessionHeaders(mcpSessionId),
          ...createStandardHeaders(request),
          ...createTraceHeaders(request),
          ...this.#server.tools.paramHeaders(request),
        },
      },
      request,
      attempt,
      context.call,
    );
    if ('kind' in answer || getProtocolEra(request) === 'stateless') return answer;
    const id = answer.headers['mcp-session-id'];
    const offeredId = request.method === 'initialize' ? mcpSessionId : undefined;
    session.learnIds({ mcpSessionId: typeof id === 'string' ? id : offeredId });
    return answer;
  }

  /** Sends a message without an expected response. */
  async #post(
    message: JsonRpcNotification | JsonRpcResponse,
    signal: AbortSignal,
    onSend?: () => void,
  ): Promise<HttpReply> {
    const id = getProtocolEra(message) === 'stateless' ? this.#hint : this.session.mcpSessionId;
    const headers = {
      ...this.#sessionHeaders(id),
      ...(message.kind === 'notification' && createStandardHeaders(message)),
    };
    // Counts as a call: if the session stops before this message arrives, it starts a new one.
    const delivered = this.session.callBegins();
    const attempt: Attempt = { isSent: false };
    try {
      const invocation = {
        signal: AbortSignal.any([signal, this.session.closing]),
        body: message.bytes,
        headers,
        urgent: true,
        ...(onSend && { onSend }),
      };
      return (await this.#invoke(invocation, undefined, attempt)) as HttpReply;
    } catch (thrown) {
      recordFailedAttempt(this.session, attempt, thrown);
      throw thrown;
    } finally {
      delivered();
    }
  }

  /** Resolves with a successful reply or with the server's own error. Throws all other failures. */
  async #invoke(
    invocation: Omit<OutgoingMessage, 'session'>,
    request: JsonRpcRequest | undefined,
    attempt: Attempt,
    callInfo?: CallInfo,
  ): Promise<HttpReply | JsonRpcResponse> {
    const { client } = this.#server;
    const began = performance.now();
    try {
      return await this.#invokeOnce(invocation, request, attempt, callInfo);
    } catch (thrown) {
      if (!(await client.refreshAuth(thrown, began))) throw thrown;
      return this.#invokeOnce(invocation, request, attempt, callInfo);
    }
  }

  async #invokeOnce(
    invocation: Omit<OutgoingMessage, 'session'>,
    request: JsonRpcRequest | undefined,
    attempt: Attempt,
    callInfo?: CallInfo,
  ): Promise<HttpReply | JsonRpcResponse> {
    const { client, closing } = this.#server;
    const { session } = this;
    // Sending to a stopped session would start a new microVM.
    closing.throwIfAborted();
    session.closing.throwIfAborted();
    attempt.isSent = false;
    const before = callInfo?.mayHaveRun ?? false;
    const onSend = () => {
      invocation.onSend?.();
      attempt.isSent = true;
      if (callInfo) callInfo.mayHaveRun = true;
    };
    if (callInfo) callInfo.attempts++;
    try {
      const reply = await client.send({ ...invocation, session, onSend });
      if (callInfo) recordReplyIds(callInfo, reply, session);
      const isSuccess = reply.status >= 200 && reply.status < 300;
      return isSuccess ? reply : await client.readError(reply, request);
    } catch (thrown) {
      if (callInfo && hasNotRun(thrown)) callInfo.mayHaveRun = before;
      throw thrown;
    }
  }

  /** Routing hint for the stateless era: AgentCore routes by `Mcp-Session-Id`. */
  get #hint(): string | undefined {
    return this.#server.acceptsHints ? this.session.routingId : undefined;
  }

  #sessionHeaders(mcpSessionId: string | undefined): Record<string, string> {
    const { session } = this;
    return {
      ...(mcpSessionId !== undefined && { 'mcp-session-id': mcpSessionId }),
      ...(session.protocolVersion !== undefined && {
        'mcp-protocol-version': session.protocolVersion,
      }),
    };
  }
}

/** The latest attempt to send a message. */
interface Attempt {
  /** Set right before the message leaves the machine. */
  isSent: boolean;
}

/** Records whether a failed attempt may have started the session. */
function recordFailedAttempt(
  session: UpstreamSession,
  { isSent }: Attempt,
  thrown: unknown,
  method?: string,
): void {
  const { outcome, jsonRpcCode } = (thrown instanceof AgentCoreError && thrown.data) || {};
  const isRefused = outcome === 'refused' && jsonRpcCode !== ErrorCode.containerFailed;
  if (!isSent || outcome === 'not sent' || isRefused) session.refused();
  else if (method === 'initialize') session.startedUnseen();
  else session.accepted();
}

/** True if the error proves that the call did not run. */
function hasNotRun(thrown: unknown): boolean {
  const outcome = thrown instanceof AgentCoreError ? thrown.data?.outcome : undefined;
  return outcome === 'not sent' || outcome === 'refused';
}

/** True for an error of AgentCore without a microVM. A failed container had one. */
function isRefusedByPlatform({ error }: JsonRpcResponse): boolean {
  if (!error || error.code === ErrorCode.containerFailed) return false;
  return findPlatformError(error)?.outcome === 'refused';
}

/** Records the session, the ids assigned by AWS, and `Retry-After` of an attempt. */
function recordReplyIds(
  callInfo: CallInfo,
  { headers }: HttpReply,
  session: UpstreamSession,
): void {
  callInfo.session = session.key;
  const retryAfter = getHeaderText(headers['retry-after']);
  callInfo.retryAfter = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter);
  callInfo.requestId = getHeaderText(headers['x-amzn-requestid']);
  callInfo.traceId = getHeaderText(headers['x-amzn-trace-id'] ?? headers.traceparent);
}

function getHeaderText(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

/** The receiver of a progress notification: the session behind a server request. */
interface Listener {
  notify(notification: JsonRpcNotification): Promise<void>;
}

interface Route {
  readonly server: Listener;
  /** The token at the server. */
  readonly token: string;
}

/**
 * Maps the progress tokens of server requests to their sessions. Each microVM chooses its own
 * tokens, so tokens may collide. If they do, the client receives a replacement for the later one.
 */
export class ProgressTokenMap {
  readonly #routes = new Map<string, Route>();
  #renamed = 0;

  /** Registers a server request. Returns it with the token for the client. */
  enter(request: JsonRpcRequest, server: Listener): JsonRpcRequest {
    const id = readIdAt(request, REQUEST_PROGRESS_TOKEN);
    if (!id) return request;
    const taken = this.#routes.get(id.key);
    if (!taken || taken.server === server) {
      this.#routes.set(id.key, { server, token: id.token });
      return request;
    }
    const token = JSON.stringify(`agentcore-mcp-${++this.#renamed}`);
    this.#routes.set(token, { server, token: id.token });
    return replaceValueAt(request, REQUEST_PROGRESS_TOKEN, token);
  }

  /**
   * Finds the session of a client's progress notification. Returns it with the notification, which
   * then has the server's token.
   */
  findRoute(
    notification: JsonRpcNotification,
  ): { server: Listener; notification: JsonRpcNotification } | undefined {
    if (notification.method !== 'notifications/progress') return undefined;
    const route = this.#routes.get(readIdAt(notification, PROGRESS_TOKEN)?.key ?? '');
    if (!route) return undefined;
    return {
      server: route.server,
      notification: replaceValueAt(notification, PROGRESS_TOKEN, route.token),
    };
  }

  leave(server: Listener): void {
    for (const [key, route] of this.#routes) {
      if (route.server === server) this.#routes.delete(key);
    }
  }
}
