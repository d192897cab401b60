import { setMaxListeners } from 'node:events';
import { AgentCoreError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { eraOf } from '../../mcp/era.ts';
import type { Notification, Request, Response } from '../../mcp/message.ts';
import type { ToolHeaders } from '../../mcp/tool-headers.ts';
import { type Interceptor, throughInterceptors } from '../../relay/interceptors.ts';
import {
  ACKNOWLEDGEMENT_TIMEOUT_MS,
  type Exchange,
  type Peer,
  unlessAborted,
} from '../../relay/peer.ts';
import { freshSessionId, type SessionMode } from '../../sessions/session-ids.ts';
import { ProgressRoutes } from './progress-routes.ts';
import { SessionPeer } from './session-peer.ts';
import { Turns } from './turns.ts';
import type { Upstream, UpstreamSession, UpstreamSessions } from './upstream.ts';

export interface UpstreamEndOptions {
  readonly upstream: Upstream;
  readonly mode: SessionMode;
  readonly sessions: UpstreamSessions;
  readonly tools: ToolHeaders;
  /** The id of the shared session; unused if each request has its own session. */
  readonly sessionId: () => Promise<string>;
  /** Interceptors for a request within its own session. */
  readonly alone: readonly Interceptor[];
  /**
   * Whether such a session is stopped after its request. Otherwise it costs money until the idle
   * timeout.
   */
  readonly endsSessions: boolean;
  readonly messageLimit: number;
  readonly log: Log;
}

/** Server end of a relay for Streamable HTTP: a runtime or a gateway. */
export class UpstreamEnd implements Peer {
  readonly #options: UpstreamEndOptions;
  readonly #peers = new Set<SessionPeer>();
  readonly #progress = new ProgressRoutes();
  readonly #closing = new AbortController();
  #shared: SessionPeer | undefined;
  #sharing: Promise<SessionPeer> | undefined;
  #isSharable: boolean;
  #sendsHint = true;
  /** Keeps the client's notifications and `initialize` in order. */
  readonly #turns = new Turns();

  constructor(options: UpstreamEndOptions) {
    this.#options = options;
    this.#isSharable = options.mode === 'identity';
    setMaxListeners(0, this.#closing.signal);
  }

  async request(request: Request, exchange: Exchange): Promise<Response> {
    if (this.#options.mode === 'request') return this.#requestAlone(request, exchange);
    const { signal } = exchange;
    if (eraOf(request) === 'stateless') {
      return (this.#shared ?? (await this.#share(signal))).request(request, exchange);
    }
    // POST requests may overtake each other, and a server may reject requests before its handshake.
    if (request.method === 'initialize') {
      return unlessAborted(
        this.#turns.take(() => this.#initialize(request, exchange)),
        signal,
      );
    }
    const told = this.#turns.last;
    if (told) await unlessAborted(told, signal);
    return (this.#shared ?? (await this.#share(signal))).request(request, exchange);
  }

  async notify(notification: Notification, exchange?: Exchange): Promise<void> {
    const routed = this.#progress.routeOf(notification);
    if (routed) return routed.server.notify(routed.notification);
    if (this.#options.mode === 'request') return this.#skip(notification);
    return this.#turns.take(async () => {
      this.#closing.signal.throwIfAborted();
      const server = this.#shared ?? (await this.#share(this.#closing.signal));
      if (!server.hasAnswered && eraOf(notification) === 'handshake') {
        // Sending it would start a microVM whose server only refuses it.
        return this.#skip(notification);
      }
      await server.notify(notification, exchange);
    }, ACKNOWLEDGEMENT_TIMEOUT_MS);
  }

  /** Ends all open calls. */
  close(): void {
    const ending = new AgentCoreError('shutdown', 'The proxy has ended');
    for (const peer of this.#peers) peer.close(ending);
    this.#closing.abort(ending);
  }

  #skip({ method }: Notification): void {
    this.#options.log('debug', `${method} concerns no open session and was not sent`);
  }

  /** If a client initializes again, it gets a new session with the server. */
  async #initialize(request: Request, exchange: Exchange): Promise<Response> {
    exchange.signal.throwIfAborted();
    const before = this.#shared ?? (await this.#share(exchange.signal));
    if (!before.session.mayRun) return before.request(request, exchange);
    const { sessions } = this.#options;
    const after = this.#open(sessions.begin(before.session.id));
    try {
      return await after.request(request, exchange);
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

  async #requestAlone(request: Request, exchange: Exchange): Promise<Response> {
    const { sessions, alone, endsSessions } = this.#options;
    const server = this.#open(sessions.begin(freshSessionId()));
    try {
      return await throughInterceptors(alone, server).request(request, exchange);
    } finally {
      this.#progress.leave(server);
      this.#peers.delete(server);
      if (endsSessions) sessions.end(server.session);
      else sessions.leave(server.session);
    }
  }

  #open(session: UpstreamSession): SessionPeer {
    const { mode, upstream, tools, messageLimit, log } = this.#options;
    const peer = new SessionPeer({
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

  async #share(signal: AbortSignal): Promise<SessionPeer> {
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
    return unlessAborted(this.#sharing, signal);
  }
}
