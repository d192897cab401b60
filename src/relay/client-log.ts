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

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const response = await next.request(request, passage);
    if (passage.from === 'client' && !response.error) {
      if (request.method === 'initialize') this.#client = passage.back;
      const level = request.method === 'logging/setLevel' ? request.params?.level : undefined;
      if (isLogLevel(level)) this.#threshold = level;
    }
    return response;
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
}
