import { getProtocolEra } from '../mcp/era.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';
import { applyInterceptors, type Interceptor, type Passage } from '../relay/interceptors.ts';
import type { Peer } from '../relay/peer.ts';
import { createHandshakeError, Handshake } from './handshake.ts';
import { ObservedSender } from './heard.ts';
import { confirmSessionLoss, detectSessionLoss, type SessionLoss } from './session-loss.ts';
import { getOrThrow, type Settled, settle } from './verdict.ts';

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

  async request(request: JsonRpcRequest, context: Passage, next: Peer): Promise<JsonRpcResponse> {
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

  async #isLost(loss: SessionLoss, { signal, sender }: Passage, next: Peer): Promise<boolean> {
    if (loss.isCertain) return true;
    const server = applyInterceptors([this.#retry], next);
    return confirmSessionLoss(loss, this.#handshake.list, server, { signal, sender });
  }

  async #initialize({ signal, sender }: Passage, next: Peer): Promise<void> {
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
