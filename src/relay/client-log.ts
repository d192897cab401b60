import { isLogLevel, isLoud, type LogLevel } from '../log.ts';
import { makeNotification, type Request, type Response } from '../mcp/message.ts';
import type { Interceptor, Passage } from './interceptors.ts';
import type { Peer } from './peer.ts';

/**
 * Says to the client what the program has to say, as MCP log messages of the level that the client
 * asked for. A client of the stateless era gets none: there they belong to a request.
 */
export class ClientLog implements Interceptor {
  readonly name = 'client-log';
  #threshold: LogLevel = 'info';
  #client: Peer | undefined;

  request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const answer = next.request(request, passage);
    if (passage.from === 'server') return answer;
    if (request.method === 'initialize') return this.#onceAnswered(answer, passage);
    if (request.method !== 'logging/setLevel') return answer;
    return this.#onceAnswered(answer, passage, request.params?.level);
  }

  say(level: LogLevel, sentence: string): void {
    if (!this.#client || !isLoud(level, this.#threshold)) return;
    const message = makeNotification('notifications/message', {
      level,
      logger: 'agentcore-mcp',
      data: sentence,
    });
    const exchange = { signal: new AbortController().signal, back: this.#client };
    void this.#client.notify(message, exchange).catch(() => undefined);
  }

  async #onceAnswered(
    answer: Promise<Response>,
    { back }: Passage,
    level?: unknown,
  ): Promise<Response> {
    const response = await answer;
    if (response.error) return response;
    this.#client = back;
    if (isLogLevel(level)) this.#threshold = level;
    return response;
  }
}
