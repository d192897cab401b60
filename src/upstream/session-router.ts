import { setMaxListeners } from 'node:events';
import { TaskQueue, withAbort } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  replaceValueAt,
} from '../mcp/message.ts';
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
import { HttpSession } from './http-session.ts';
import type { Upstream, UpstreamSession, UpstreamSessions } from './upstream.ts';

interface SessionRouterOptions {
  readonly upstream: Upstream;
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
  readonly #progress = new ProgressTokenMap();
  readonly #closing = new AbortController();
  #shared: HttpSession | undefined;
  #sharing: Promise<HttpSession> | undefined;
  #isSharable: boolean;
  #sendsHint = true;
  /** Keeps the client's notifications and `initialize` in order. */
  readonly #turns = new TaskQueue();

  constructor(options: SessionRouterOptions) {
    this.#options = options;
    this.#isSharable = options.mode === 'identity';
    setMaxListeners(0, this.#closing.signal);
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
    const told = this.#turns.last;
    if (told) await withAbort(told, signal);
    return (this.#shared ?? (await this.#share(signal))).request(request, context);
  }

  async notify(notification: JsonRpcNotification, context?: RequestContext): Promise<void> {
    const routed = this.#progress.findRoute(notification);
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
      this.#progress.leave(server);
      this.#peers.delete(server);
      if (endsSessions) sessions.end(server.session);
      else sessions.leave(server.session);
    }
  }

  #open(session: UpstreamSession): HttpSession {
    const { mode, upstream, tools, messageLimit, log } = this.#options;
    const peer = new HttpSession({
      upstream,
      session,
      offersId: this.#isSharable,
      onOfferRefused: () => {
        this.#isSharable = false;
        const reason = 'The server picks its own sessions, so they cannot be shared by identity';
        log('warning', reason);
      },
      sendsHint: () => this.#sendsHint,
      onHintRefused: () => {
        this.#sendsHint = false;
      },
      tools,
      onServerRequest: (own) => (mode === 'request' ? this.#progress.enter(own, peer) : own),
      endsWithCall: mode === 'request',
      closing: this.#closing.signal,
      messageLimit,
      log,
    });
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

const TOKEN_IN_REQUEST = ['params', '_meta', 'progressToken'];

const TOKEN_IN_PROGRESS = ['params', 'progressToken'];

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
    const id = readIdAt(request, TOKEN_IN_REQUEST);
    if (!id) return request;
    const taken = this.#routes.get(id.key);
    if (!taken || taken.server === server) {
      this.#routes.set(id.key, { server, token: id.token });
      return request;
    }
    const token = JSON.stringify(`agentcore-mcp-${++this.#renamed}`);
    this.#routes.set(token, { server, token: id.token });
    return replaceValueAt(request, TOKEN_IN_REQUEST, token);
  }

  /**
   * Finds the session of a client's progress notification. Returns it with the notification, which
   * then has the server's token.
   */
  findRoute(
    notification: JsonRpcNotification,
  ): { server: Listener; notification: JsonRpcNotification } | undefined {
    if (notification.method !== 'notifications/progress') return undefined;
    const route = this.#routes.get(readIdAt(notification, TOKEN_IN_PROGRESS)?.key ?? '');
    if (!route) return undefined;
    return {
      server: route.server,
      notification: replaceValueAt(notification, TOKEN_IN_PROGRESS, route.token),
    };
  }

  leave(server: Listener): void {
    for (const [key, route] of this.#routes) {
      if (route.server === server) this.#routes.delete(key);
    }
  }
}
