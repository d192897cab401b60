import type { Log } from '../log.ts';
import { getProtocolEra } from '../mcp/era.ts';
import {
  createNotification,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../mcp/message.ts';
import { applyInterceptors, type Interceptor, type Passage } from '../relay/interceptors.ts';
import { type CallInfo, type Peer, type RequestContext, withAbort } from '../relay/peer.ts';
import { createHandshakeError, Handshake } from './handshake.ts';
import { ObservedSender } from './heard.ts';
import { confirmSessionLoss, detectSessionLoss, type SessionLoss } from './session-loss.ts';
import { getOrThrow, settle } from './verdict.ts';

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
  readonly patience: number;
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

  async request(request: JsonRpcRequest, context: Passage, next: Peer): Promise<JsonRpcResponse> {
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

  async notify(notification: JsonRpcNotification, context: Passage, next: Peer): Promise<void> {
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
    context: Passage,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    while (this.#underWay) {
      await withAbort(ignoreOutcome(this.#underWay.done), context.signal);
    }
    const answer = this.#begin(request, context, next);
    this.#occupy(ignoreOutcome(answer));
    return answer;
  }

  async #begin(request: JsonRpcRequest, context: Passage, next: Peer): Promise<JsonRpcResponse> {
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
  async #ready({ sender, signal }: Passage, next: Peer): Promise<void> {
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
        const isLate = performance.now() - started < this.#options.patience / 2;
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
    { sender, signal }: Passage,
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
    const { patience, retry, onReplay, log } = this.#options;
    const started = performance.now();
    const before = this.#session;
    const callInfo: CallInfo = { attempts: 0 };
    // Other calls wait for the replay as well, so it continues if this call is cancelled.
    const exchange = { sender: back, signal: AbortSignal.timeout(patience), call: callInfo };
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
