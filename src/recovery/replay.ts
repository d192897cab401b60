import { AgentCoreError, messageOf } from '../error.ts';
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
import { Handshake } from './handshake.ts';
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
  /** Why the session is still to be replaced, after a replay that failed. */
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
    const { retry } = this.#options;
    for (let replays = 0; ; replays++) {
      if (this.#underWay ?? this.#unmended) await this.#join(this.#unmended, passage, next);
      const generation = this.#generation;
      const answer = await answerOf(next.request(request, { ...passage, back: heard, trail }));
      if (generation === this.#generation) this.#session = trail.session ?? this.#session;
      if ('response' in answer) this.#handshake.answered(request, answer.response);
      const loss = lossIn(answer);
      if (!loss || heard.anything || !this.#handshake.isComplete || replays === MOST_REPLAYS) {
        return unwrap(answer);
      }
      if (generation !== this.#generation) {
        if (loss.mayHaveRun) return unwrap(answer);
        continue;
      }
      // A second 404 in a row may be the server's own way to answer this request.
      if (!loss.isCertain || replays > 0) {
        const { list } = this.#handshake;
        const { signal, back } = passage;
        const server = throughInterceptors([retry], next);
        if (!(await hasForgotten(loss, list, server, { signal, back }))) return unwrap(answer);
      }
      if (loss.mayHaveRun) {
        // Whether it may be sent again is for others to say; the next call finds a new session.
        if (generation === this.#generation) this.#unmended ??= loss;
        return unwrap(answer);
      }
      if (generation === this.#generation) await this.#join(loss, passage, next);
    }
  }

  async notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    if (passage.from === 'server') return next.notify(notification, passage);
    this.#handshake.told(notification);
    const generation = this.#generation;
    try {
      await next.notify(notification, passage);
    } catch (thrown) {
      if (!lossIn({ thrown })?.isCertain || !this.#handshake.isComplete) throw thrown;
      const loss = lossIn({ thrown }) as Loss;
      if (generation === this.#generation) await this.#join(loss, passage, next);
      // The replay has brought this one along.
      if (notification.method === 'notifications/initialized') return;
      await next.notify(notification, passage);
    }
  }

  async #initialize(request: Request, passage: Passage, next: Peer): Promise<Response> {
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

  /** Waits for the replay that is under way, or begins one. */
  async #join(loss: Loss | undefined, passage: Passage, next: Peer): Promise<void> {
    if (!this.#underWay) {
      if (!loss) return;
      const done = this.#replay(loss, passage, next).finally(() => {
        this.#underWay = undefined;
      });
      this.#underWay = { done, calls: 0 };
      // Whoever waits may have given up by the time that it fails.
      done.catch(() => undefined);
    }
    this.#underWay.calls++;
    await unlessAborted(this.#underWay.done, passage.signal);
  }

  async #replay(loss: Loss, passage: Passage, next: Peer): Promise<void> {
    const { patience, retry, onReplay, log } = this.#options;
    const started = performance.now();
    const before = this.#session;
    const trail: Trail = { attempts: 0 };
    // Others wait for it as well, so it goes on when this call is cancelled.
    const exchange = { back: passage.back, signal: AbortSignal.timeout(patience), trail };
    const server = throughInterceptors([retry], next);
    try {
      await this.#handshake.repeat(server, exchange);
    } catch (cause) {
      this.#unmended = loss;
      throw notReplayed(loss, cause);
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

function notReplayed({ reason }: Loss, cause: unknown): AgentCoreError {
  const { code, data } = cause instanceof AgentCoreError ? cause : { code: 'timeout' as const };
  return new AgentCoreError(
    code,
    `The server had lost the session (${reason}), and a new one could not be set up: ${messageOf(cause)}`,
    // The call itself reached nobody, and the replay has tried again what can be tried.
    { cause, data: { jsonRpcCode: data?.jsonRpcCode, error: 'session lost', outcome: 'refused' } },
  );
}
