import { eraOf } from '../mcp/era.ts';
import type { Request, Response } from '../mcp/message.ts';
import type { Interceptor, Passage } from '../relay/interceptors.ts';
import type { Peer } from '../relay/peer.ts';
import { Handshake } from './handshake.ts';
import { Heard } from './heard.ts';
import { hasForgotten, lossIn } from './session-loss.ts';
import { answerOf, unwrap } from './verdict.ts';

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
    const isFirst = request.method === 'initialize' || !handshake.isComplete;
    if (this.#isNeeded && !isFirst) {
      const { signal, back } = passage;
      await handshake.repeat(next, { signal, back });
    }
    const heard = new Heard(passage.back);
    const answer = await answerOf(next.request(request, { ...passage, back: heard }));
    // A subscription would be over with the session that it is made in.
    if ('response' in answer && request.method !== 'resources/subscribe') {
      handshake.answered(request, answer.response);
    }
    if (isFirst || this.#isNeeded || heard.anything || !lossIn(answer)) return unwrap(answer);
    const { signal, back } = passage;
    if (!(await hasForgotten(handshake.list, next, { signal, back }))) return unwrap(answer);
    this.#isNeeded = true;
    await handshake.repeat(next, { signal, back });
    return next.request(request, passage);
  }
}
