import type { Log } from '../log.ts';
import { eraOf } from '../mcp/era.ts';
import {
  makeNotification,
  type Notification,
  type Request,
  type Response,
} from '../mcp/message.ts';
import { type Interceptor, type Passage, throughInterceptors } from '../relay/interceptors.ts';
import { type Exchange, type Peer, type Trail, unlessAborted } from '../relay/peer.ts';
import { createHandshakeError, Handshake } from './handshake.ts';
import { Heard } from './heard.ts';
import { hasForgotten, type Loss, lossIn } from './session-loss.ts';
import { answerOf, unwrap } from './verdict.ts';

/**
 * Maximum number of new sessions for one call. A call that ends each session must not start more.
 */
const MOST_REPLAYS = 3;

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

export interface ReplayOptions {
  /** Maximum duration of a replay in milliseconds. */
  readonly patience: number;
  /** The interceptor for the requests of the replay. */
  readonly retry: Interceptor;
  readonly onReplay: (report: ReplayReport) => void;
  readonly log: Log;
}

/** A handshake in progress. */
interface UnderWay {
  readonly done: Promise<void>;
  calls: number;
}

/**
 * Keeps a client's session alive beyond its microVM. If the server has forgotten the client, it
 * repeats the client's original handshake once for all open calls, and then sends the calls again.
 * A session of MCP 2026-07-28 has no handshake, so there is nothing to repeat.
 */
export class Replay implements Interceptor {
  readonly #options: ReplayOptions;
  readonly #handshake = new Handshake();
  /** The journal's id of the session that answered last. */
  #session: string | undefined;
  /** Counts the sessions with the server. */
  #generation = 0;
  #underWay: UnderWay | undefined;
  /** The generation in which the server refused a notification although it knew the client. */
  #refusesIn: number | undefined;
  /** The reason for which the next call has to replace the session. */
  #unmended: Loss | undefined;

  constructor(options: ReplayOptions) {
    this.#options = options;
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (passage.from === 'server' || eraOf(request) === 'stateless') {
      return next.request(request, passage);
    }
    if (request.method === 'initialize') return this.#initialize(request, passage, next);
    const heard = new Heard(passage.back);
    const trail: Trail = passage.trail ?? { attempts: 0 };
    for (let replays = 0; ; replays++) {
      await this.#ready(passage, next);
      const generation = this.#generation;
      const answer = await answerOf(next.request(request, { ...passage, back: heard, trail }));
      if (generation === this.#generation) this.#session = trail.session ?? this.#session;
      if ('response' in answer) this.#handshake.answered(request, answer.response);
      const loss = lossIn(answer);
      if (!loss || heard.anything || !this.#handshake.isComplete || replays === MOST_REPLAYS) {
        return unwrap(answer);
      }
      // A second 404 in a row may be the server's normal answer to this request.
      const sign = replays === 0 ? loss : { ...loss, isCertain: false };
      if (!(await this.#isLost(sign, generation, passage, next))) return unwrap(answer);
      // The caller decides whether to send it again. The next call starts a new session.
      if (loss.mayHaveRun) return unwrap(answer);
    }
  }

  async notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    if (passage.from === 'server') return next.notify(notification, passage);
    this.#handshake.told(notification);
    const generation = this.#generation;
    try {
      await next.notify(notification, passage);
    } catch (thrown) {
      const loss = lossIn({ thrown });
      if (!loss || !this.#handshake.isComplete || this.#refusesIn === generation) throw thrown;
      // A refused notification proves nothing, because some servers refuse all of them.
      const sign = { ...loss, isCertain: false, isSaid: false };
      // Not sent again, because the handshake with the next session has the same effect.
      if (await this.#isLost(sign, generation, passage, next)) return;
      this.#refusesIn = generation;
      throw thrown;
    }
  }

  /**
   * A handshake of the client and a replay exclude each other. The later one waits, and its result
   * applies.
   */
  async #initialize(request: Request, passage: Passage, next: Peer): Promise<Response> {
    while (this.#underWay) {
      await unlessAborted(settled(this.#underWay.done), passage.signal);
    }
    const answer = this.#begin(request, passage, next);
    this.#occupy(settled(answer));
    return answer;
  }

  async #begin(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const trail: Trail = passage.trail ?? { attempts: 0 };
    const response = await next.request(request, { ...passage, trail });
    this.#session = trail.session;
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
  async #ready({ back, signal }: Passage, next: Peer): Promise<void> {
    const started = performance.now();
    for (let mayJoin = true; ; ) {
      const loss = this.#unmended;
      const joined = this.#underWay;
      const underWay = joined ?? (loss && this.#occupy(this.#replay(loss, back, next)));
      if (!underWay) return;
      underWay.calls++;
      try {
        await unlessAborted(underWay.done, signal);
      } catch (thrown) {
        // Other calls used up the time of a replay that this call joined late.
        const isLate = performance.now() - started < this.#options.patience / 2;
        if (!joined || !mayJoin || !isLate || signal.aborted) throw thrown;
        mayJoin = false;
      }
    }
  }

  #occupy(work: Promise<void>): UnderWay {
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
    loss: Loss,
    generation: number,
    { back, signal }: Passage,
    next: Peer,
  ): Promise<boolean> {
    const isCurrent = () => generation === this.#generation && !this.#underWay;
    if (!isCurrent()) return true;
    if (!loss.isCertain) {
      const server = throughInterceptors([this.#options.retry], next);
      const isForgotten = await hasForgotten(loss, this.#handshake.list, server, { signal, back });
      if (!isCurrent()) return true;
      if (!isForgotten) return false;
    }
    this.#unmended ??= loss;
    return true;
  }

  async #replay(loss: Loss, back: Peer, next: Peer): Promise<void> {
    const { patience, retry, onReplay, log } = this.#options;
    const started = performance.now();
    const before = this.#session;
    const trail: Trail = { attempts: 0 };
    // Other calls wait for the replay as well, so it continues if this call is cancelled.
    const exchange = { back, signal: AbortSignal.timeout(patience), trail };
    const server = throughInterceptors([retry], next);
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
    this.#session = trail.session;
    const milliseconds = Math.round(performance.now() - started);
    const calls = this.#underWay?.calls ?? 0;
    log(
      'notice',
      `The server had lost the session (${loss.reason}). A new one was set up in ${milliseconds} ms, and ${calls === 1 ? 'the call that waited goes' : `${calls} calls that waited go`} on in it`,
    );
    void this.#compareTools(server, exchange).then((toolsChanged) => {
      const { reason } = loss;
      onReplay({ session: before, next: trail.session, reason, milliseconds, calls, toolsChanged });
    });
  }

  /** Notifies the client of a changed tool list if the new server has other tools. */
  async #compareTools(server: Peer, { back, signal }: Exchange): Promise<boolean> {
    const exchange = { back, signal };
    const differ = await this.#handshake.hasOtherTools(server, exchange).catch(() => false);
    if (differ) {
      const changed = makeNotification('notifications/tools/list_changed');
      await back.notify(changed, exchange).catch(() => undefined);
    }
    return differ;
  }
}

function settled(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => undefined,
    () => undefined,
  );
}
