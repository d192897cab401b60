import { isLogLevel, isLoud, type LogLevel } from '../log.ts';
import { makeNotification, type Request, type Response } from '../mcp/message.ts';
import type { Interceptor, Passage } from './interceptors.ts';
import type { Peer } from './peer.ts';

/** Limit of log messages waiting for a slow client. */
const MOST_WAITING = 100;

/**
 * Sends the proxy's log messages to the client as MCP log messages, at the client's log level. A
 * client of the stateless era gets none: there, log messages belong to a request.
 */
export class ClientLog implements Interceptor {
  #threshold: LogLevel = 'info';
  #client: Peer | undefined;
  #waiting = 0;

  request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const answer = next.request(request, passage);
    if (passage.from === 'server') return answer;
    if (request.method === 'initialize') return this.#onceAnswered(answer, passage);
    if (request.method !== 'logging/setLevel') return answer;
    return this.#onceAnswered(answer, passage, request.params?.level);
  }

  say(level: LogLevel, sentence: string): void {
    if (!this.#client || !isLoud(level, this.#threshold)) return;
    // If the client does not read, drop messages rather than buffer without limit.
    if (this.#waiting >= MOST_WAITING) return;
    const message = makeNotification('notifications/message', {
      level,
      logger: 'agentcore-mcp',
      data: sentence,
    });
    const exchange = { signal: new AbortController().signal, back: this.#client };
    this.#waiting++;
    this.#client
      .notify(message, exchange)
      .catch(() => undefined)
      .finally(() => {
        this.#waiting--;
      });
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
