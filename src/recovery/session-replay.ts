import { withAbort } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  createNotification,
  createRequest,
  createRequestId,
  ErrorCode,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';
import { getProtocolEra } from '../mcp/protocol.ts';
import {
  applyInterceptors,
  type CallInfo,
  type Interceptor,
  type InterceptorContext,
  type Peer,
  type RequestContext,
} from '../relay/peer.ts';
import { getOrThrow, type Settled, settle } from './failure.ts';
import { createHandshakeError, Handshake } from './handshake.ts';

/**
 * Maximum number of new sessions for one call. A call that ends each session must not start more.
 */
const MAX_REPLAYS = 3;

/** A report of a replay for the journal. */
interface ReplayReport {
  /** The journal's ids of the lost session and of the next one. */
  readonly session: string | undefined;
  readonly next: string | undefined;
  /** The reason of the replay, as a sentence. */
  readonly reason: string;
  readonly milliseconds: number;
  /** The number of calls that were sent again. */
  readonly calls: number;
  /** True if the new server lists other tools than the client has received. */
  readonly toolsChanged: boolean;
}

interface ReplayOptions {
  /** Maximum duration of a replay in milliseconds. */
  readonly timeoutMs: number;
  /** The interceptor for the requests of the replay. */
  readonly retry: Interceptor;
  readonly onReplay: (report: ReplayReport) => void;
  readonly log: Log;
}

/** A handshake in progress. */
interface PendingHandshake {
  readonly done: Promise<void>;
  calls: number;
}

/**
 * Keeps a client's session alive beyond its microVM. If the server has forgotten the client, it
 * repeats the client's original handshake once for all open calls, and then sends the calls again.
 * A session of MCP 2026-07-28 has no handshake, so there is nothing to repeat.
 */
export class SessionReplayInterceptor implements Interceptor {
  readonly #options: ReplayOptions;
  readonly #handshake = new Handshake();
  /** The journal's id of the session that answered last. */
  #session: string | undefined;
  /** Counts the sessions with the server. */
  #generation = 0;
  #underWay: PendingHandshake | undefined;
  /** The generation in which the server refused a notification although it knew the client. */
  #refusesIn: number | undefined;
  /** The reason for which the next call has to replace the session. */
  #unmended: SessionLoss | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async request(
    request: JsonRpcRequest,
    context: InterceptorContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.from === 'server' || getProtocolEra(request) === 'stateless') {
      return next.request(request, context);
    }
    if (request.method === 'initialize') return this.#initialize(request, context, next);
    const heard = new ObservedSender(context.sender);
    const callInfo: CallInfo = context.call ?? { attempts: 0 };
    for (let replays = 0; ; replays++) {
      await this.#ready(context, next);
      const generation = this.#generation;
      const answer = await settle(
        next.request(request, { ...context, sender: heard, call: callInfo }),
      );
      if (generation === this.#generation) this.#session = callInfo.session ?? this.#session;
      if ('response' in answer) this.#handshake.answered(request, answer.response);
      const loss = detectSessionLoss(answer);
      if (!loss || heard.anything || !this.#handshake.isComplete || replays === MAX_REPLAYS) {
        return getOrThrow(answer);
      }
      // A second 404 in a row may be the server's normal answer to this request.
      const sign = replays === 0 ? loss : { ...loss, isCertain: false };
      if (!(await this.#isLost(sign, generation, context, next))) return getOrThrow(answer);
      // The caller decides whether to send it again. The next call starts a new session.
      if (loss.mayHaveRun) return getOrThrow(answer);
    }
  }

  async notify(
    notification: JsonRpcNotification,
    context: InterceptorContext,
    next: Peer,
  ): Promise<void> {
    if (context.from === 'server') return next.notify(notification, context);
    this.#handshake.told(notification);
    const generation = this.#generation;
    try {
      await next.notify(notification, context);
    } catch (thrown) {
      const loss = detectSessionLoss({ thrown });
      if (!loss || !this.#handshake.isComplete || this.#refusesIn === generation) throw thrown;
      // A refused notification proves nothing, because some servers refuse all of them.
      const sign = { ...loss, isCertain: false, isSaid: false };
      // Not sent again, because the handshake with the next session has the same effect.
      if (await this.#isLost(sign, generation, context, next)) return;
      this.#refusesIn = generation;
      throw thrown;
    }
  }

  /**
   * A handshake of the client and a replay exclude each other. The later one waits, and its result
   * applies.
   */
  async #initialize(
    request: JsonRpcRequest,
    context: InterceptorContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    while (this.#underWay) {
      await withAbort(ignoreOutcome(this.#underWay.done), context.signal);
    }
    const answer = this.#begin(request, context, next);
    this.#occupy(ignoreOutcome(answer));
    return answer;
  }

  async #begin(
    request: JsonRpcRequest,
    context: InterceptorContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const callInfo: CallInfo = context.call ?? { attempts: 0 };
    const response = await next.request(request, { ...context, call: callInfo });
    this.#session = callInfo.session;
    this.#handshake.answered(request, response);
    if (!response.error) {
      this.#generation++;
      this.#unmended = undefined;
    }
    return response;
  }

  /**
   * Resolves when no handshake is in progress and the session is not known to be lost. If it is
   * lost, starts a replay first.
   */
  async #ready({ sender, signal }: InterceptorContext, next: Peer): Promise<void> {
    const started = performance.now();
    for (let mayJoin = true; ; ) {
      const loss = this.#unmended;
      const joined = this.#underWay;
      const underWay = joined ?? (loss && this.#occupy(this.#replay(loss, sender, next)));
      if (!underWay) return;
      underWay.calls++;
      try {
        await withAbort(underWay.done, signal);
      } catch (thrown) {
        // Other calls used up the time of a replay that this call joined late.
        const isLate = performance.now() - started < this.#options.timeoutMs / 2;
        if (!joined || !mayJoin || !isLate || signal.aborted) throw thrown;
        mayJoin = false;
      }
    }
  }

  #occupy(work: Promise<void>): PendingHandshake {
    const done = work.finally(() => {
      this.#underWay = undefined;
    });
    // All waiting calls may be cancelled before it fails.
    done.catch(() => undefined);
    this.#underWay = { done, calls: 0 };
    return this.#underWay;
  }

  /**
   * Whether the session of a refused request is lost. If other requests have detected that
   * meanwhile, a new session may have answered the probe.
   */
  async #isLost(
    loss: SessionLoss,
    generation: number,
    { sender, signal }: InterceptorContext,
    next: Peer,
  ): Promise<boolean> {
    const isCurrent = () => generation === this.#generation && !this.#underWay;
    if (!isCurrent()) return true;
    if (!loss.isCertain) {
      const server = applyInterceptors([this.#options.retry], next);
      const isForgotten = await confirmSessionLoss(loss, this.#handshake.list, server, {
        signal,
        sender,
      });
      if (!isCurrent()) return true;
      if (!isForgotten) return false;
    }
    this.#unmended ??= loss;
    return true;
  }

  async #replay(loss: SessionLoss, back: Peer, next: Peer): Promise<void> {
    const { timeoutMs, retry, onReplay, log } = this.#options;
    const started = performance.now();
    const before = this.#session;
    const callInfo: CallInfo = { attempts: 0 };
    // Other calls wait for the replay as well, so it continues if this call is cancelled.
    const exchange = { sender: back, signal: AbortSignal.timeout(timeoutMs), call: callInfo };
    const server = applyInterceptors([retry], next);
    try {
      await this.#handshake.repeat(server, exchange);
    } catch (cause) {
      throw createHandshakeError(
        `The server had lost the session (${loss.reason}), and a new one could not be set up`,
        cause,
      );
    }
    this.#generation++;
    this.#unmended = undefined;
    this.#session = callInfo.session;
    const milliseconds = Math.round(performance.now() - started);
    const calls = this.#underWay?.calls ?? 0;
    log(
      'notice',
      `The server had lost the session (${loss.reason}). A new one was set up in ${milliseconds} ms, and ${calls === 1 ? 'the call that waited goes' : `${calls} calls that waited go`} on in it`,
    );
    void this.#compareTools(server, exchange).then((toolsChanged) => {
      const { reason } = loss;
      onReplay({
        session: before,
        next: callInfo.session,
        reason,
        milliseconds,
        calls,
        toolsChanged,
      });
    });
  }

  /** Notifies the client of a changed tool list if the new server has other tools. */
  async #compareTools(server: Peer, { sender, signal }: RequestContext): Promise<boolean> {
    const exchange = { sender, signal };
    const differ = await this.#handshake.hasOtherTools(server, exchange).catch(() => false);
    if (differ) {
      const changed = createNotification('notifications/tools/list_changed');
      await sender.notify(changed, exchange).catch(() => undefined);
    }
    return differ;
  }
}

function ignoreOutcome(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => undefined,
    () => undefined,
  );
}

/** The client of one request. Records whether messages have arrived on the request's stream. */
export class ObservedSender implements Peer {
  readonly #client: Peer;
  #anything = false;
  #question = false;
  #progress = Number.NEGATIVE_INFINITY;

  constructor(client: Peer) {
    this.#client = client;
  }

  /** True after any message of the server, which proves that the server was working. */
  get anything(): boolean {
    return this.#anything;
  }

  /** True after a server request, which the client must not receive twice. */
  get question(): boolean {
    return this.#question;
  }

  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    this.#anything = true;
    this.#question = true;
    return this.#client.request(request, context);
  }

  async notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    this.#anything = true;
    if (notification.method === 'notifications/progress') {
      const progress = Number(notification.params?.progress);
      // Drops the progress that a second attempt repeats, because progress has to increase (MCP,
      // "Progress").
      if (progress <= this.#progress) return;
      this.#progress = progress;
    }
    return this.#client.notify(notification, context);
  }
}

/**
 * Milliseconds for the response to a probe. A slow server has not necessarily forgotten the client.
 */
const PROBE_TIMEOUT_MS = 10_000;

/** A sign that the server has forgotten the client. */
interface SessionLoss {
  readonly reason: string;
  /** False if a server that knows its client may return the same error for another reason. */
  readonly isCertain: boolean;
  /** True if the error message mentions a session or a handshake. */
  readonly isSaid: boolean;
  /** True if the session may have ended after the call ran, so that a retry may run it twice. */
  readonly mayHaveRun: boolean;
}

/**
 * Error messages of servers that were never initialized or do not know a session, apart from a 404.
 */
const FORGETFUL =
  /not (been )?initialized|before initialization|session (was )?(not found|expired|terminated|unknown)|(unknown|invalid|missing|no valid|no) (mcp[- ])?session/i;

/** AgentCore's message for a 4xx of its container. */
const WRAPPED = /Received error \(4\d\d\) from runtime/;

/** Returns the session loss that an answer indicates, or `undefined`. */
function detectSessionLoss(answer: Settled): SessionLoss | undefined {
  if ('thrown' in answer) {
    const { thrown } = answer;
    if (!(thrown instanceof AgentCoreError)) return undefined;
    const { status, name } = thrown.data ?? {};
    const reason = thrown.message;
    if (status === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
    if (status === 424 && WRAPPED.test(reason)) {
      return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
    }
    // AgentCore's own refusals have a name. A refusal without a name comes from the server.
    if (status !== 400 || name !== undefined) return undefined;
    return { reason, isCertain: false, isSaid: FORGETFUL.test(reason), mayHaveRun: false };
  }
  const { error, httpStatus, id } = answer.response;
  if (!error) return undefined;
  const reason = String(error.message);
  // A server that rejects an unknown method knows its client.
  if (error.code === ErrorCode.methodNotFound) return undefined;
  // Streamable HTTP, "Session Management": a session that has ended is answered with 404.
  if (httpStatus === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
  // AgentCore's error for a container or microVM that failed before or during the call.
  if (findPlatformError(error)?.outcome === 'unknown') {
    return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
  }
  const isSaid = FORGETFUL.test(reason);
  // An error without a request id (`id: null`) comes from a server that did not process the
  // request.
  if (!isSaid && id && error.code !== ErrorCode.invalidParams) return undefined;
  return { reason, isCertain: false, isSaid, mayHaveRun: false };
}

/**
 * Probes a server with a list that it announced, which it returns only to a client that it knows.
 * `ping` proves nothing, because it is legal before initialization.
 *
 * @param list For example `tools/list`. If the server announced no list, its error message decides.
 */
async function confirmSessionLoss(
  loss: SessionLoss,
  list: string | undefined,
  server: Peer,
  context: RequestContext,
): Promise<boolean> {
  if (list === undefined) return loss.isSaid;
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
  const probe = createRequest(createRequestId(0), list);
  const answer = await settle(server.request(probe, { ...context, signal }));
  if (detectSessionLoss(answer)) return true;
  // An unanswered probe proves nothing, so the server's error message decides here as well.
  return 'thrown' in answer && !context.signal.aborted && loss.isSaid;
}

/** The maximum number of handshakes for one request. */
const MAX_HANDSHAKES = 3;

/**
 * For sessions of a single request: initializes the session first if the server requires it, as a
 * stateful server does.
 */
export class InitializeFirstInterceptor implements Interceptor {
  readonly #handshake = new Handshake();
  readonly #retry: Interceptor;
  #isNeeded = false;

  /** @param retry The interceptor for the requests of the handshake. */
  constructor(retry: Interceptor) {
    this.#retry = retry;
  }

  async request(
    request: JsonRpcRequest,
    context: InterceptorContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const handshake = this.#handshake;
    if (context.from === 'server' || getProtocolEra(request) === 'stateless') {
      return next.request(request, context);
    }
    if (request.method === 'initialize' || !handshake.isComplete) {
      return this.#answered(request, await next.request(request, context));
    }
    const heard = new ObservedSender(context.sender);
    let isInitialized = this.#isNeeded;
    for (let handshakes = isInitialized ? 1 : 0; ; handshakes++) {
      if (isInitialized) await this.#initialize(context, next);
      const answer = await settle(next.request(request, { ...context, sender: heard }));
      const loss = heard.anything ? undefined : detectSessionLoss(answer);
      if (!loss || handshakes === MAX_HANDSHAKES) return this.#done(request, answer);
      // A 404 after a handshake may be the server's normal answer to this request.
      const sign = isInitialized ? { ...loss, isCertain: false } : loss;
      if (!(await this.#isLost(sign, context, next))) return this.#done(request, answer);
      this.#isNeeded = true;
      // If the caller sends it again, the retry starts a new session.
      if (loss.mayHaveRun) return getOrThrow(answer);
      isInitialized = true;
    }
  }

  async #isLost(
    loss: SessionLoss,
    { signal, sender }: InterceptorContext,
    next: Peer,
  ): Promise<boolean> {
    if (loss.isCertain) return true;
    const server = applyInterceptors([this.#retry], next);
    return confirmSessionLoss(loss, this.#handshake.list, server, { signal, sender });
  }

  async #initialize({ signal, sender }: InterceptorContext, next: Peer): Promise<void> {
    const server = applyInterceptors([this.#retry], next);
    try {
      await this.#handshake.repeat(server, { signal, sender });
    } catch (thrown) {
      signal.throwIfAborted();
      throw createHandshakeError('The session of this request could not be set up', thrown);
    }
  }

  #done(request: JsonRpcRequest, answer: Settled): JsonRpcResponse {
    return this.#answered(request, getOrThrow(answer));
  }

  #answered(request: JsonRpcRequest, response: JsonRpcResponse): JsonRpcResponse {
    // A subscription would end with the session of its request.
    if (request.method !== 'resources/subscribe') this.#handshake.answered(request, response);
    return response;
  }
}
