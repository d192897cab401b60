import { setMaxListeners } from 'node:events';
import { TaskQueue, withAbort } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';
import { getProtocolEra } from '../mcp/protocol.ts';
import {
  ACKNOWLEDGEMENT_TIMEOUT_MS,
  applyInterceptors,
  type Interceptor,
  type Peer,
  type RequestContext,
} from '../relay/peer.ts';
import type { ToolCatalog } from '../relay/tool-catalog.ts';
import { createSessionId, type SessionMode } from '../sessions/runtime-session.ts';
import type { HttpClient } from './http-client.ts';
import { HttpSession, ProgressTokenMap, type SessionServer } from './http-session.ts';
import type { UpstreamSession, UpstreamSessions } from './upstream.ts';

interface SessionRouterOptions {
  readonly client: HttpClient;
  readonly mode: SessionMode;
  readonly sessions: UpstreamSessions;
  readonly tools: ToolCatalog;
  /** Returns the id of the shared session. Unused if each request has its own session. */
  readonly sessionId: () => Promise<string>;
  /** Interceptors for a request within its own session. */
  readonly alone: readonly Interceptor[];
  /**
   * True if the own session of a request is stopped after it. Otherwise it costs money until the
   * idle timeout.
   */
  readonly endsSessions: boolean;
  readonly messageLimit: number;
  readonly log: Log;
}

/**
 * The server as a peer of the relay. Routes each message to a session, by the session mode: one
 * shared session, or one for each request.
 */
export class SessionRouter implements Peer {
  readonly #options: SessionRouterOptions;
  readonly #peers = new Set<HttpSession>();
  readonly #closing = new AbortController();
  #shared: HttpSession | undefined;
  #sharing: Promise<HttpSession> | undefined;
  readonly #server: SessionServer;
  /** Keeps the client's notifications and `initialize` in order. */
  readonly #turns = new TaskQueue();

  constructor(options: SessionRouterOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal);
    const { client, tools, mode, messageLimit, log } = options;
    this.#server = {
      client,
      tools,
      closing: this.#closing.signal,
      messageLimit,
      log,
      progress: mode === 'request' ? new ProgressTokenMap() : undefined,
      acceptsIds: mode === 'identity',
      acceptsHints: true,
    };
  }

  async request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    if (this.#options.mode === 'request') return this.#requestAlone(request, context);
    const { signal } = context;
    if (getProtocolEra(request) === 'stateless') {
      return (this.#shared ?? (await this.#share(signal))).request(request, context);
    }
    // POST requests may overtake each other, and a server may reject requests before its handshake.
    if (request.method === 'initialize') {
      return withAbort(
        this.#turns.take(() => this.#initialize(request, context)),
        signal,
      );
    }
    const pending = this.#turns.last;
    if (pending) await withAbort(pending, signal);
    return (this.#shared ?? (await this.#share(signal))).request(request, context);
  }

  async notify(notification: JsonRpcNotification, context?: RequestContext): Promise<void> {
    const routed = this.#server.progress?.findRoute(notification);
    if (routed) return routed.server.notify(routed.notification);
    if (this.#options.mode === 'request') return this.#skip(notification);
    return this.#turns.take(async () => {
      this.#closing.signal.throwIfAborted();
      const server = this.#shared ?? (await this.#share(this.#closing.signal));
      if (!server.hasAnswered && getProtocolEra(notification) === 'handshake') {
        // Sending it would start a microVM whose server only refuses it.
        return this.#skip(notification);
      }
      await server.notify(notification, context);
    }, ACKNOWLEDGEMENT_TIMEOUT_MS);
  }

  /** Ends all open calls. They reject with a `shutdown` error. */
  close(): void {
    const ending = new AgentCoreError('shutdown', 'The proxy has ended');
    for (const peer of this.#peers) peer.close(ending);
    this.#closing.abort(ending);
  }

  #skip({ method }: JsonRpcNotification): void {
    this.#options.log('debug', `${method} concerns no open session and was not sent`);
  }

  /** Initializes the shared session. If the client initializes again, opens a new session. */
  async #initialize(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    context.signal.throwIfAborted();
    const before = this.#shared ?? (await this.#share(context.signal));
    if (!before.session.mayRun) return before.request(request, context);
    const { sessions } = this.#options;
    const after = this.#open(sessions.begin(before.session.id));
    try {
      return await after.request(request, context);
    } finally {
      if (after.session.mayRun) {
        this.#shared = after;
        sessions.supersede(before.session);
        void before.session.idle().then(() => this.#peers.delete(before));
      } else {
        // Nothing was started, so the earlier session continues.
        this.#peers.delete(after);
        sessions.leave(after.session);
      }
    }
  }

  async #requestAlone(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    const { sessions, alone, endsSessions } = this.#options;
    const server = this.#open(sessions.begin(createSessionId()));
    try {
      return await applyInterceptors(alone, server).request(request, context);
    } finally {
      this.#server.progress?.leave(server);
      this.#peers.delete(server);
      if (endsSessions) sessions.end(server.session);
      else sessions.leave(server.session);
    }
  }

  #open(session: UpstreamSession): HttpSession {
    const peer = new HttpSession(this.#server, session);
    this.#peers.add(peer);
    return peer;
  }

  async #share(signal: AbortSignal): Promise<HttpSession> {
    const { sessionId, sessions } = this.#options;
    this.#sharing ??= sessionId().then(
      (id) => {
        this.#shared = this.#open(sessions.begin(id));
        return this.#shared;
      },
      (thrown) => {
        // Do not cache the failure: after a login or with a network, the next try may succeed.
        this.#sharing = undefined;
        throw thrown;
      },
    );
    return withAbort(this.#sharing, signal);
  }
}
