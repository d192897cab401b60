import { setMaxListeners } from 'node:events';
import type { Reply } from '../../aws/post.ts';
import { AgentCoreError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { standardHeaders } from '../../mcp/derived-headers.ts';
import { eraOf, isLongLived } from '../../mcp/era.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import {
  isObject,
  type JsonObject,
  makeRequest,
  type Notification,
  numericId,
  type Request,
  type Response,
  resultOf,
  withId,
} from '../../mcp/message.ts';
import { type Exchange, type Peer, unlessAborted } from '../../relay/peer.ts';
import { RuntimeSession } from '../../sessions/runtime-session.ts';
import { freshSessionId, type SessionMode } from '../../sessions/session-ids.ts';
import type { RuntimeInvoker } from './invoker.ts';
import { OpenCall } from './open-call.ts';
import { ProgressRoutes } from './progress-routes.ts';
import { readRefusal } from './refusal.ts';
import { isRefusedError, isRefusedId } from './refused-id.ts';
import { ToolHeaders } from './tool-headers.ts';
import { Turns } from './turns.ts';

/** Pages of `tools/list` that are read to find a tool's headers. */
const MOST_PAGES = 100;
/** Sessions of earlier `initialize`s that are remembered, to be stopped at the end. */
const MOST_SUPERSEDED = 100;
/** Milliseconds that others wait for a notification that the server does not acknowledge. */
const PATIENCE = 10_000;
/** What a server may say, in bytes, where nothing is expected. */
const SMALL_BODY = 64 * 1024;

export interface RuntimeEndOptions {
  readonly invoker: RuntimeInvoker;
  readonly mode: SessionMode;
  /** The id of the session that all requests share; not used where each has its own. */
  readonly sessionId: () => Promise<string>;
  /** Told of each session that no further request will use. */
  readonly onSessionOver: (session: RuntimeSession) => void;
  readonly messageLimit: number;
  readonly log: Log;
}

/** The server of a relay that is hosted on AgentCore Runtime. */
export class RuntimeEnd implements Peer {
  readonly #options: RuntimeEndOptions;
  readonly #calls = new Set<OpenCall>();
  readonly #tools = new ToolHeaders();
  readonly #progress = new ProgressRoutes();
  readonly #closing = new AbortController();
  /** The tools that are being listed, once for all calls that need it. */
  #listing: Promise<void> | undefined;
  #shared: RuntimeSession | undefined;
  readonly #superseded: RuntimeSession[] = [];
  #sharing: Promise<RuntimeSession> | undefined;
  /** What the client tells, its `initialize` first: the server has to know it in order. */
  readonly #turns = new Turns();

  constructor(options: RuntimeEndOptions) {
    this.#options = options;
    setMaxListeners(0, this.#closing.signal);
  }

  async request(request: Request, exchange: Exchange): Promise<Response> {
    if (eraOf(request) === 'stateless') return this.#requestStateless(request, exchange);
    // Posts overtake each other, and a server may refuse what comes before its handshake is over.
    const told = this.#turns.last && unlessAborted(this.#turns.last, exchange.signal);
    if (request.method === 'initialize') {
      return this.#turns.take(async () => {
        await told;
        return this.#inSession(exchange, (session) => this.#initialize(request, exchange, session));
      });
    }
    if (told) await told;
    return this.#inSession(exchange, (session) => this.#call(request, exchange, session));
  }

  async notify(notification: Notification): Promise<void> {
    const routed = this.#progress.routeOf(notification);
    if (!routed && this.#options.mode === 'request') {
      const { method } = notification;
      return this.#options.log('debug', `${method} concerns no open session and was not sent`);
    }
    const told = this.#turns.last;
    return this.#turns.take(async () => {
      await told;
      const session = routed?.session ?? (await this.#sharedSession());
      await this.#tell(routed?.notification ?? notification, session);
    }, PATIENCE);
  }

  /** The session that requests share, if one was begun, and those that it followed. */
  get sharedSessions(): readonly RuntimeSession[] {
    return this.#shared ? [this.#shared, ...this.#superseded] : [];
  }

  /** Ends whatever is still open. */
  close(): void {
    const ending = new AgentCoreError('shutdown', 'The proxy has ended');
    for (const call of this.#calls) call.end(ending);
    this.#closing.abort(ending);
  }

  async #requestStateless(request: Request, exchange: Exchange): Promise<Response> {
    return this.#inSession(exchange, async (session) => {
      const response = await this.#call(request, exchange, session);
      if (request.method === 'tools/list' && !response.error) this.#tools.learn(response);
      if (response.error?.code !== ErrorCode.headerMismatch) return response;
      const sent = JSON.stringify(this.#tools.for(request));
      this.#listing ??= this.#listTools(request, exchange, session).finally(() => {
        this.#listing = undefined;
      });
      await this.#listing;
      // Nothing has run: the server refuses before it looks at the body.
      return JSON.stringify(this.#tools.for(request)) === sent
        ? response
        : this.#call(request, exchange, session);
    });
  }

  async #initialize(
    request: Request,
    exchange: Exchange,
    before: RuntimeSession,
  ): Promise<Response> {
    const session = this.#beginAnew(before);
    const offered = this.#options.mode === 'identity' ? session.id : undefined;
    let response = await this.#call(request, exchange, session, offered).catch((thrown) => {
      if (offered && isRefusedId(thrown)) return undefined;
      throw thrown;
    });
    if (offered && (!response || isRefusedError(response))) {
      this.#options.log(
        'warning',
        'The server picks its own sessions, so the session cannot be shared by identity',
      );
      response = await this.#call(request, exchange, session);
    }
    const result = response && !response.error ? resultOf(response) : undefined;
    if (isObject(result) && typeof result.protocolVersion === 'string') {
      session.protocolVersion = result.protocolVersion;
    }
    return response as Response;
  }

  /** A client that initializes once more has another session with the server, in the same runtime's. */
  #beginAnew(before: RuntimeSession): RuntimeSession {
    if (before.protocolVersion === undefined) return before;
    const session = new RuntimeSession(before.id);
    this.#shared = session;
    this.#superseded.push(before.superseded());
    if (this.#superseded.length > MOST_SUPERSEDED) this.#superseded.shift();
    return session;
  }

  async #call(
    request: Request,
    exchange: Exchange,
    session: RuntimeSession,
    offeredId?: string,
  ): Promise<Response> {
    // Without a session an id means nothing beyond its POST, and the server repeats it in what a
    // subscription brings; within one, two requests under one id could not be told apart.
    const sent =
      eraOf(request) === 'stateless'
        ? request
        : withId(request, numericId(session.nextRequestNumber()));
    const call = new OpenCall({
      request: sent,
      exchange,
      messageLimit: this.#options.messageLimit,
      log: this.#options.log,
      tell: (notification) => this.#tell(notification, session),
      respond: (response, signal) => this.#post(response, session, signal),
      onServerRequest: (own) =>
        this.#options.mode === 'request' ? this.#progress.enter(own, session) : own,
      endsSession: this.#options.mode === 'request',
    });
    this.#calls.add(call);
    try {
      return await call.run(() => this.#send(sent, session, call, offeredId));
    } finally {
      this.#calls.delete(call);
    }
  }

  async #send(
    request: Request,
    session: RuntimeSession,
    call: OpenCall,
    offeredId?: string,
  ): Promise<Reply | Response> {
    const reply = await this.#options.invoker.invoke({
      session,
      signal: call.signal,
      onSend: () => call.sent(),
      body: request.bytes,
      longLived: isLongLived(request),
      headers: {
        ...this.#sessionHeaders(request, session, offeredId),
        ...standardHeaders(request),
        ...this.#tools.for(request),
      },
    });
    if (!isSuccess(reply)) return readRefusal(reply, request, this.#options.invoker.runtime);
    const id = reply.headers['mcp-session-id'];
    if (eraOf(request) === 'handshake') {
      session.mcpSessionId = typeof id === 'string' ? id : (offeredId ?? session.mcpSessionId);
    }
    return reply;
  }

  async #tell(notification: Notification, session: RuntimeSession): Promise<void> {
    const reply = await this.#post(notification, session, this.#closing.signal);
    // With its head it is delivered; the body is read for the sake of the connection alone.
    reply
      .whole(SMALL_BODY)
      .catch(() => undefined)
      .finally(() => reply.discard());
  }

  /** Delivers what expects no response. */
  async #post(
    message: Notification | Response,
    session: RuntimeSession,
    signal: AbortSignal,
  ): Promise<Reply> {
    const headers = {
      ...this.#sessionHeaders(message, session),
      ...(message.kind === 'notification' && standardHeaders(message)),
    };
    const reply = await this.#options.invoker.invoke({
      session,
      signal,
      body: message.bytes,
      headers,
    });
    if (!isSuccess(reply)) await readRefusal(reply, undefined, this.#options.invoker.runtime);
    return reply;
  }

  #sessionHeaders(
    message: Request | Notification | Response,
    session: RuntimeSession,
    offeredId?: string,
  ): Record<string, string> {
    // The stateless era has no session id of its own, but the platform routes on one.
    const mcpSessionId =
      eraOf(message) === 'stateless' ? session.id : (offeredId ?? session.mcpSessionId);
    return {
      ...(mcpSessionId !== undefined && { 'mcp-session-id': mcpSessionId }),
      ...(session.protocolVersion !== undefined && {
        'mcp-protocol-version': session.protocolVersion,
      }),
    };
  }

  async #listTools(request: Request, exchange: Exchange, session: RuntimeSession): Promise<void> {
    const { progressToken: _, ..._meta } = (request.params?._meta ?? {}) as JsonObject;
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page++) {
      const params = cursor === undefined ? { _meta } : { _meta, cursor };
      const list = makeRequest(numericId(0), 'tools/list', params);
      const response = await this.#call(list, exchange, session);
      cursor = response.error ? undefined : this.#tools.learn(response);
      if (cursor === undefined) return;
    }
  }

  async #inSession<T>(
    { signal }: Exchange,
    work: (session: RuntimeSession) => Promise<T>,
  ): Promise<T> {
    if (this.#options.mode !== 'request') {
      return work(this.#shared ?? (await unlessAborted(this.#sharedSession(), signal)));
    }
    const session = new RuntimeSession(freshSessionId());
    try {
      return await work(session);
    } finally {
      this.#progress.leave(session);
      this.#options.onSessionOver(session);
    }
  }

  async #sharedSession(): Promise<RuntimeSession> {
    this.#sharing ??= this.#options.sessionId().then(
      (id) => {
        this.#shared = new RuntimeSession(id);
        return this.#shared;
      },
      (thrown) => {
        // Who is calling may be known at the next try: after a login, or with a network.
        this.#sharing = undefined;
        throw thrown;
      },
    );
    return this.#sharing;
  }
}

function isSuccess(reply: Reply): boolean {
  return reply.status >= 200 && reply.status < 300;
}
