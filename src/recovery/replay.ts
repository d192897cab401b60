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

/** How often one call is sent to a new session; a call that ends them all is not worth more. */
const MOST_REPLAYS = 3;

/** What is to be told of a replay. */
interface ReplayReport {
  /** What the journal calls the session that was lost, and the one that follows it. */
  readonly session: string | undefined;
  readonly next: string | undefined;
  /** What made it necessary, as a sentence. */
  readonly reason: string;
  readonly milliseconds: number;
  /** Calls that were sent again. */
  readonly calls: number;
  /** True where the new server has other tools than the client has seen. */
  readonly toolsChanged: boolean;
}

export interface ReplayOptions {
  /** Milliseconds that a replay may take. */
  readonly patience: number;
  /** What the requests of the replay itself go through. */
  readonly retry: Interceptor;
  readonly onReplay: (report: ReplayReport) => void;
  readonly log: Log;
}

/** A handshake that is under way. */
interface UnderWay {
  readonly done: Promise<void>;
  calls: number;
}

/**
 * Keeps a client's session alive beyond its microVM: where the server has forgotten the client, the
 * handshake is repeated with the client's own words, once for all calls in flight, and the calls
 * are sent again. A session of MCP 2026-07-28 has no handshake, and so nothing to repeat.
 */
export class Replay implements Interceptor {
  readonly #options: ReplayOptions;
  readonly #handshake = new Handshake();
  /** What the journal calls the session that answered last. */
  #session: string | undefined;
  /** Counts the sessions with the server. */
  #generation = 0;
  #underWay: UnderWay | undefined;
  /** The generation in which the server has refused a notification although it knew the client. */
  #refusesIn: number | undefined;
  /** Why the session is to be replaced by the next call. */
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
      // A second 404 in a row may be the server's own way to answer this request.
      const sign = replays === 0 ? loss : { ...loss, isCertain: false };
      if (!(await this.#isLost(sign, generation, passage, next))) return unwrap(answer);
      // Whether it may be sent again is for others to say; the next call finds a new session.
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
      // The refusal of a notification proves nothing: some servers refuse them all.
      const sign = { ...loss, isCertain: false, isSaid: false };
      // It is not sent again: the handshake with the next session says what it could say.
      if (await this.#isLost(sign, generation, passage, next)) return;
      this.#refusesIn = generation;
      throw thrown;
    }
  }

  /** The client's own handshake and a replay exclude each other: the last one holds. */
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
   * Resolves when no handshake is under way and the session is not known to be lost, which takes a
   * replay if it is.
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
    // All who waited may have given up by the time that it fails.
    done.catch(() => undefined);
    this.#underWay = { done, calls: 0 };
    return this.#underWay;
  }

  /**
   * Whether the session of a request that was refused is gone. Other requests may have found that
   * out meanwhile, and then a new session may have answered the probe.
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
    // Others wait for it as well, so it goes on when this call is cancelled.
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

  /** Tells the client to list the tools again where the new server has other ones. */
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
