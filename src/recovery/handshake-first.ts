import { eraOf } from '../mcp/era.ts';
import type { Request, Response } from '../mcp/message.ts';
import type { Interceptor, Passage } from '../relay/interceptors.ts';
import type { Peer } from '../relay/peer.ts';
import { Handshake } from './handshake.ts';
import { Heard } from './heard.ts';
import { hasForgotten, lossIn } from './session-loss.ts';
import { type Answer, answerOf, unwrap } from './verdict.ts';

/**
 * Where each request has a session of its own: initializes the session first if the server turns
 * out to want that, as a stateful one does.
 */
export class HandshakeFirst implements Interceptor {
  readonly #handshake = new Handshake();
  #isNeeded = false;

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const handshake = this.#handshake;
    if (passage.from === 'server' || eraOf(request) === 'stateless') {
      return next.request(request, passage);
    }
    if (request.method === 'initialize' || !handshake.isComplete) {
      return this.#answered(request, await next.request(request, passage));
    }
    const { signal, back } = passage;
    if (this.#isNeeded) await handshake.repeat(next, { signal, back });
    const heard = new Heard(back);
    const answer = await answerOf(next.request(request, { ...passage, back: heard }));
    const loss = heard.anything ? undefined : lossIn(answer);
    if (!loss || (this.#isNeeded && !loss.isCertain)) return this.#done(request, answer);
    if (!this.#isNeeded && !(await hasForgotten(loss, handshake.list, next, { signal, back }))) {
      return this.#done(request, answer);
    }
    this.#isNeeded = true;
    // Whoever may send it again has a session begun for it anew.
    if (loss.mayHaveRun) return unwrap(answer);
    await handshake.repeat(next, { signal, back });
    return this.#answered(request, await next.request(request, passage));
  }

  #done(request: Request, answer: Answer): Response {
    return this.#answered(request, unwrap(answer));
  }

  #answered(request: Request, response: Response): Response {
    // A subscription would be over with the session that it is made in.
    if (request.method !== 'resources/subscribe') this.#handshake.answered(request, response);
    return response;
  }
}
