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
  createContext,
  getOrThrow,
  type Interceptor,
  type Peer,
  type RequestContext,
  type Settled,
  settle,
} from '../relay/peer.ts';
import { createHandshakeError, Handshake } from './handshake.ts';

/** Recovery of lost MCP sessions: detects a loss, and repeats the handshake in a new session. */

/** Maximum number of new sessions for one call. A call may end its session at every attempt. */
const MAX_REPLAYS = 3;

/** A report of a replay for the journal. */
interface ReplayReport {
  /** Keys of the lost session and of the next one in the journal. */
  readonly session: string | undefined;
  readonly next: string | undefined;
  /** The reason of the replay, as a sentence. */
  readonly reason: string;
  readonly milliseconds: number;
  /** Number of calls waiting for the replay. */
  readonly calls: number;
  /** True if the tools of the new session differ from those last sent to the client. */
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

/** A handshake in progress: the client's own, or a replay. */
interface PendingHandshake {
  readonly done: Promise<void>;
  /** Number of calls waiting for it. */
  calls: number;
}

/**
 * Replays the client's handshake in a new session if the server has lost the old one, for example
 * because its microVM ended. One replay serves all open calls. Each call is sent again after it,
 * unless it may have run. MCP 2026-07-28 has no handshake, so its messages pass unchanged.
 */
export class SessionReplayInterceptor implements Interceptor {
  readonly #options: ReplayOptions;
  readonly #handshake = new Handshake();
  /** Journal key of the session behind the last response. */
  #session: string | undefined;
  /** Number of handshakes so far. Changes with every new session. */
  #generation = 0;
  #pendingHandshake: PendingHandshake | undefined;
  /** Generation with a refused notification although the session exists. Prevents more probes. */
  #refusesIn: number | undefined;
  /** A detected loss without a replay yet. The next call starts the replay. */
  #pendingLoss: SessionLoss | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.direction === 'to-client' || getProtocolEra(request) === 'stateless') {
      return next.request(request, context);
    }
    if (request.method === 'initialize') return this.#initialize(request, context, next);
    const observed = new ObservedSender(context.sender);
    const { call } = context;
    for (let replays = 0; ; replays++) {
      await this.#ready(context, next);
      const generation = this.#generation;
      const answer = await settle(next.request(request, { ...context, sender: observed }));
      if (generation === this.#generation) this.#session = call.session ?? this.#session;
      if ('response' in answer && !answer.response.error) {
        // Tool calls, the most frequent requests, are not part of a handshake.
        if (request.method !== 'tools/call') this.#handshake.answered(request, answer.response);
        return answer.response;
      }
      const loss = detectSessionLoss(answer);
      if (!loss || observed.hasMessages || !this.#handshake.isComplete || replays === MAX_REPLAYS) {
        return getOrThrow(answer);
      }
      // If the request gets a second 404, it may be the server's normal response to it.
      const sign = replays === 0 ? loss : { ...loss, isCertain: false };
      if (!(await this.#isLost(sign, generation, context, next))) {
        // Another client of the session (mode `identity`) may have initialized it meanwhile.
        if (replays > 0 || !loss.isSaid || !isUnprocessed(answer)) return getOrThrow(answer);
        continue;
      }
      // The call may have run, so the caller decides about a retry. The next call starts a session.
      if (loss.mayHaveRun) return getOrThrow(answer);
    }
  }

  async notify(
    notification: JsonRpcNotification,
    context: RequestContext,
    next: Peer,
  ): Promise<void> {
    if (context.direction === 'to-client') return next.notify(notification, context);
    this.#handshake.notified(notification);
    const generation = this.#generation;
    try {
      await next.notify(notification, context);
    } catch (thrown) {
      const loss = detectSessionLoss({ thrown });
      if (!loss || !this.#handshake.isComplete || this.#refusesIn === generation) throw thrown;
      // Some servers refuse every notification, so a refusal proves nothing.
      const sign = { ...loss, isCertain: false, isSaid: false };
      // Do not send it again: the next handshake has the same effect.
      if (await this.#isLost(sign, generation, context, next)) return;
      this.#refusesIn = generation;
      throw thrown;
    }
  }

  /**
   * Runs the client's own handshake. It waits for a replay in progress, and replaces its session.
   */
  async #initialize(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    while (this.#pendingHandshake) {
      await withAbort(ignoreOutcome(this.#pendingHandshake.done), context.signal);
    }
    const answer = this.#begin(request, context, next);
    this.#setPendingHandshake(ignoreOutcome(answer));
    return answer;
  }

  async #begin(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const response = await next.request(request, context);
    this.#session = context.call.session;
    this.#handshake.answered(request, response);
    if (!response.error) {
      this.#generation++;
      this.#pendingLoss = undefined;
    }
    return response;
  }

  /**
   * Resolves when no handshake is in progress. If the session is lost, starts a replay first.
   *
   * @throws {AgentCoreError} if the replay fails.
   */
  async #ready({ sender, signal }: RequestContext, next: Peer): Promise<void> {
    const started = performance.now();
    for (let mayJoin = true; ; ) {
      const loss = this.#pendingLoss;
      const joined = this.#pendingHandshake;
      const underWay =
        joined ?? (loss && this.#setPendingHandshake(this.#replay(loss, sender, next)));
      if (!underWay) return;
      underWay.calls++;
      try {
        await withAbort(underWay.done, signal);
      } catch (thrown) {
        // This call joined a replay late and got less time than others. Give it one more replay.
        const isLate = performance.now() - started < this.#options.timeoutMs / 2;
        if (!joined || !mayJoin || !isLate || signal.aborted) throw thrown;
        mayJoin = false;
      }
    }
  }

  #setPendingHandshake(work: Promise<void>): PendingHandshake {
    const done = work.finally(() => {
      this.#pendingHandshake = undefined;
    });
    // If every waiting call is cancelled, the failure must not become an unhandled rejection.
    done.catch(() => undefined);
    this.#pendingHandshake = { done, calls: 0 };
    return this.#pendingHandshake;
  }

  /**
   * True if the session of a refused request is lost. Also true if another request has detected the
   * loss meanwhile: a new session may then have answered the probe.
   */
  async #isLost(
    loss: SessionLoss,
    generation: number,
    { sender, signal }: RequestContext,
    next: Peer,
  ): Promise<boolean> {
    const isCurrent = () => generation === this.#generation && !this.#pendingHandshake;
    if (!isCurrent()) return true;
    if (!loss.isCertain) {
      const server = applyInterceptors([this.#options.retry], next);
      const context = createContext('to-server', { signal, sender });
      const isForgotten = await confirmSessionLoss(loss, this.#handshake.list, server, context);
      if (!isCurrent()) return true;
      if (!isForgotten) return false;
    }
    this.#pendingLoss ??= loss;
    return true;
  }

  async #replay(loss: SessionLoss, sender: Peer, next: Peer): Promise<void> {
    const { timeoutMs, retry, onReplay, log } = this.#options;
    const started = performance.now();
    const before = this.#session;
    // Other calls wait for the replay too, so it continues if this call is cancelled.
    const signal = AbortSignal.timeout(timeoutMs);
    const context = createContext('to-server', { sender, signal });
    const server = applyInterceptors([retry], next);
    try {
      await this.#handshake.repeat(server, context);
    } catch (cause) {
      throw createHandshakeError(
        `The server had lost the session (${loss.reason}), and a new one could not be set up`,
        cause,
      );
    }
    this.#generation++;
    this.#pendingLoss = undefined;
    this.#session = context.call.session;
    const milliseconds = Math.round(performance.now() - started);
    const calls = this.#pendingHandshake?.calls ?? 0;
    log(
      'notice',
      `The server had lost the session (${loss.reason}). A new one was set up in ${milliseconds} ms, and ${calls === 1 ? 'the call that waited goes' : `${calls} calls that waited go`} on in it`,
    );
    void this.#compareTools(server, context).then((toolsChanged) => {
      const { reason } = loss;
      onReplay({
        session: before,
        next: context.call.session,
        reason,
        milliseconds,
        calls,
        toolsChanged,
      });
    });
  }

  /** Sends `notifications/tools/list_changed` if the new session has other tools. */
  async #compareTools(server: Peer, { sender, signal }: RequestContext): Promise<boolean> {
    const context = createContext('to-server', { sender, signal });
    const differ = await this.#handshake.hasOtherTools(server, context).catch(() => false);
    if (differ) {
      const changed = createNotification('notifications/tools/list_changed');
      await sender.notify(changed, createContext('to-client', { signal })).catch(() => undefined);
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

/** Wraps the sender of one request. Records the kinds of messages from the server for it. */
export class ObservedSender implements Peer {
  readonly #client: Peer;
  #anything = false;
  #question = false;
  #progress = Number.NEGATIVE_INFINITY;

  constructor(client: Peer) {
    this.#client = client;
  }

  /** True after any message from the server: the server had started the call. */
  get hasMessages(): boolean {
    return this.#anything;
  }

  /** True after a server request. The client must not receive it twice. */
  get hasServerRequest(): boolean {
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
      // Progress must increase (MCP, "Progress"), so drop the values repeated by a second attempt.
      if (progress <= this.#progress) return;
      this.#progress = progress;
    }
    return this.#client.notify(notification, context);
  }
}

/** Milliseconds for the response to a probe. */
const PROBE_TIMEOUT_MS = 10_000;

/** A possible or certain loss of the session, detected in a response or an error. */
interface SessionLoss {
  readonly reason: string;
  /** False if the same error may have another cause while the session exists. */
  readonly isCertain: boolean;
  /** True if the error message mentions a session or a handshake. */
  readonly isSaid: boolean;
  /** True if the session may have ended after the call ran: a retry may run it twice. */
  readonly mayHaveRun: boolean;
}

/** Error messages of a server without the session or its handshake. A 404 needs no message. */
const SESSION_LOST_TEXT =
  /not (been )?initialized|before initialization|session (was )?(not found|expired|terminated|unknown)|(unknown|invalid|missing|no valid|no) (mcp[- ])?session/i;

/** AgentCore's message if the container answered with a 4xx. */
const WRAPPED = /Received error \(4\d\d\) from runtime/;

/** Detects a session loss in the outcome of a request. Returns `undefined` if there is no sign. */
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
    return { reason, isCertain: false, isSaid: SESSION_LOST_TEXT.test(reason), mayHaveRun: false };
  }
  const { error, httpStatus, id } = answer.response;
  if (!error) return undefined;
  const reason = String(error.message);
  // The server checked the method, so the session exists.
  if (error.code === ErrorCode.methodNotFound) return undefined;
  // MCP, "Session Management": a server answers 404 if the session has ended.
  if (httpStatus === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
  // AgentCore's error if a container or microVM failed before or during the call.
  if (findPlatformError(error)?.outcome === 'unknown') {
    return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
  }
  const isSaid = SESSION_LOST_TEXT.test(reason);
  // An error with `id: null` shows that the server did not process the request.
  if (!isSaid && id && error.code !== ErrorCode.invalidParams) return undefined;
  return { reason, isCertain: false, isSaid, mayHaveRun: false };
}

/** True if the server rejected the request before it handed it to a method. */
function isUnprocessed(answer: Settled): boolean {
  if ('thrown' in answer) return (answer.thrown as AgentCoreError).data?.status === 400;
  return answer.response.httpStatus === 400 || !answer.response.id;
}

/**
 * Probes the server with a list method. It succeeds only if the session is initialized, unlike
 * `ping`.
 *
 * @param list For example `tools/list`. If the server supports no list, its error message decides.
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
  // If the probe gets no response, the server's error message decides.
  return 'thrown' in answer && !context.signal.aborted && loss.isSaid;
}

/** The maximum number of handshakes for one request. */
const MAX_HANDSHAKES = 3;

/**
 * For sessions of a single request: initializes the session first if the server requires it. A
 * rejected request without a handshake shows this.
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
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const handshake = this.#handshake;
    if (context.direction === 'to-client' || getProtocolEra(request) === 'stateless') {
      return next.request(request, context);
    }
    if (request.method === 'initialize' || !handshake.isComplete) {
      return this.#answered(request, await next.request(request, context));
    }
    const observed = new ObservedSender(context.sender);
    let isInitialized = this.#isNeeded;
    for (let handshakes = isInitialized ? 1 : 0; ; handshakes++) {
      if (isInitialized) await this.#initialize(context, next);
      const answer = await settle(next.request(request, { ...context, sender: observed }));
      const loss = observed.hasMessages ? undefined : detectSessionLoss(answer);
      if (!loss || handshakes === MAX_HANDSHAKES) return this.#done(request, answer);
      // If a 404 follows a handshake, it may be the server's normal response to this request.
      const sign = isInitialized ? { ...loss, isCertain: false } : loss;
      if (!(await this.#isLost(sign, context, next))) return this.#done(request, answer);
      this.#isNeeded = true;
      // The call may have run, so the caller decides about a retry. A retry gets a new session.
      if (loss.mayHaveRun) return getOrThrow(answer);
      isInitialized = true;
    }
  }

  async #isLost(
    loss: SessionLoss,
    { signal, sender }: RequestContext,
    next: Peer,
  ): Promise<boolean> {
    if (loss.isCertain) return true;
    const server = applyInterceptors([this.#retry], next);
    const context = createContext('to-server', { signal, sender });
    return confirmSessionLoss(loss, this.#handshake.list, server, context);
  }

  async #initialize({ signal, sender }: RequestContext, next: Peer): Promise<void> {
    const server = applyInterceptors([this.#retry], next);
    try {
      await this.#handshake.repeat(server, createContext('to-server', { signal, sender }));
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
