import { isLogLevel, type LogLevel, meetsThreshold } from '../base/logger.ts';
import { createNotification, type JsonRpcRequest, type JsonRpcResponse } from '../mcp/message.ts';
import { createContext, type Interceptor, type Peer, type RequestContext } from './peer.ts';

/** Maximum log messages waiting for a slow client. */
const MAX_WAITING = 100;

/**
 * Sends the proxy's log messages to the client by `notifications/message`, at the client's log
 * level. A client of the stateless era gets none: there, log messages belong to a request.
 */
export class ClientLogInterceptor implements Interceptor {
  #threshold: LogLevel = 'info';
  #client: Peer | undefined;
  #waiting = 0;

  request(request: JsonRpcRequest, context: RequestContext, next: Peer): Promise<JsonRpcResponse> {
    const answer = next.request(request, context);
    if (context.direction === 'to-client') return answer;
    if (request.method === 'initialize') return this.#onceAnswered(answer, context);
    if (request.method !== 'logging/setLevel') return answer;
    return this.#onceAnswered(answer, context, request.params?.level);
  }

  /** Sends a message, if the client is initialized and its log level includes the message. */
  say(level: LogLevel, sentence: string): void {
    if (!this.#client || !meetsThreshold(level, this.#threshold)) return;
    // If the client does not read, drop messages rather than buffer without limit.
    if (this.#waiting >= MAX_WAITING) return;
    const message = createNotification('notifications/message', {
      level,
      logger: 'agentcore-mcp',
      data: sentence,
    });
    this.#waiting++;
    this.#client
      .notify(message, createContext('to-client'))
      .catch(() => undefined)
      .finally(() => {
        this.#waiting--;
      });
  }

  async #onceAnswered(
    answer: Promise<JsonRpcResponse>,
    { sender }: RequestContext,
    level?: unknown,
  ): Promise<JsonRpcResponse> {
    const response = await answer;
    if (response.error) return response;
    this.#client = sender;
    if (isLogLevel(level)) this.#threshold = level;
    return response;
  }
}
