import { eraOf } from '../mcp/era.ts';
import type { Request, Response } from '../mcp/message.ts';
import { type Interceptor, type Passage, throughInterceptors } from '../relay/interceptors.ts';
import type { Peer } from '../relay/peer.ts';
import { createHandshakeError, Handshake } from './handshake.ts';
import { Heard } from './heard.ts';
import { hasForgotten, type Loss, lossIn } from './session-loss.ts';
import { type Answer, answerOf, unwrap } from './verdict.ts';

/** The maximum number of handshakes for one request. */
const MOST_HANDSHAKES = 3;

/**
 * For sessions of a single request: initializes the session first if the server requires it, as a
 * stateful server does.
 */
export class HandshakeFirst implements Interceptor {
  readonly #handshake = new Handshake();
  readonly #retry: Interceptor;
  #isNeeded = false;

  /** @param retry The interceptor for the requests of the handshake. */
  constructor(retry: Interceptor) {
    this.#retry = retry;
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const handshake = this.#handshake;
    if (passage.from === 'server' || eraOf(request) === 'stateless') {
      return next.request(request, passage);
    }
    if (request.method === 'initialize' || !handshake.isComplete) {
      return this.#answered(request, await next.request(request, passage));
    }
    const heard = new Heard(passage.back);
    let isInitialized = this.#isNeeded;
    for (let handshakes = isInitialized ? 1 : 0; ; handshakes++) {
      if (isInitialized) await this.#initialize(passage, next);
      const answer = await answerOf(next.request(request, { ...passage, back: heard }));
      const loss = heard.anything ? undefined : lossIn(answer);
      if (!loss || handshakes === MOST_HANDSHAKES) return this.#done(request, answer);
      // A 404 after a handshake may be the server's normal answer to this request.
      const sign = isInitialized ? { ...loss, isCertain: false } : loss;
      if (!(await this.#isLost(sign, passage, next))) return this.#done(request, answer);
      this.#isNeeded = true;
      // If the caller sends it again, the retry starts a new session.
      if (loss.mayHaveRun) return unwrap(answer);
      isInitialized = true;
    }
  }

  async #isLost(loss: Loss, { signal, back }: Passage, next: Peer): Promise<boolean> {
    if (loss.isCertain) return true;
    const server = throughInterceptors([this.#retry], next);
    return hasForgotten(loss, this.#handshake.list, server, { signal, back });
  }

  async #initialize({ signal, back }: Passage, next: Peer): Promise<void> {
    const server = throughInterceptors([this.#retry], next);
    try {
      await this.#handshake.repeat(server, { signal, back });
    } catch (thrown) {
      signal.throwIfAborted();
      throw createHandshakeError('The session of this request could not be set up', thrown);
    }
  }

  #done(request: Request, answer: Answer): Response {
    return this.#answered(request, unwrap(answer));
  }

  #answered(request: Request, response: Response): Response {
    // A subscription would end with the session of its request.
    if (request.method !== 'resources/subscribe') this.#handshake.answered(request, response);
    return response;
  }
}
