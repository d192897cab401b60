import { isLogLevel, type LogLevel, meetsThreshold } from '../base/logger.ts';
import { createNotification, type JsonRpcRequest, type JsonRpcResponse } from '../mcp/message.ts';
import { type ElicitationSupport, parseElicitationSupport } from '../mcp/protocol.ts';
import { createContext, type Interceptor, type Peer, type RequestContext } from './peer.ts';

/** Maximum log messages waiting for a slow client. */
const MAX_WAITING = 100;

/**
 * A connected client, with its capabilities and its log level. Stands before all other interceptors
 * and reads both from the client's requests.
 */
export class Conversation implements Interceptor {
  /** Scope of the policy's counters for a session. */
  readonly id: string;
  /** The client without interceptors. Only for requests of the proxy itself. */
  readonly client: Peer;
  #elicitation: ElicitationSupport = { form: false, url: false };
  #threshold: LogLevel = 'info';
  /** The client behind the interceptors, which redact log messages. Set by `initialize`. */
  #logReceiver: Peer | undefined;
  #waiting = 0;

  constructor(id: string, client: Peer) {
    this.id = id;
    this.client = client;
  }

  /** Forms and URLs, if the client can show them. None if it is stateless or not initialized. */
  get elicitation(): ElicitationSupport {
    return this.#elicitation;
  }

  request(request: JsonRpcRequest, context: RequestContext, next: Peer): Promise<JsonRpcResponse> {
    const answer = next.request(request, context);
    const { method } = request;
    const isSetting = method === 'initialize' || method === 'logging/setLevel';
    if (!isSetting || context.direction === 'to-client') return answer;
    return answer.then((response) => {
      if (!response.error) this.#learn(request, context);
      return response;
    });
  }

  /**
   * Sends a log message by `notifications/message` if the client's log level includes it. A client
   * of the stateless era gets none: there, log messages belong to a request.
   */
  log(level: LogLevel, text: string): void {
    if (!this.#logReceiver || !meetsThreshold(level, this.#threshold)) return;
    // If the client does not read, drop messages rather than buffer without limit.
    if (this.#waiting >= MAX_WAITING) return;
    const message = createNotification('notifications/message', {
      level,
      logger: 'agentcore-mcp',
      data: text,
    });
    this.#waiting++;
    this.#logReceiver
      .notify(message, createContext('to-client'))
      .catch(() => undefined)
      .finally(() => {
        this.#waiting--;
      });
  }

  #learn({ method, params }: JsonRpcRequest, { sender }: RequestContext): void {
    this.#logReceiver = sender;
    if (method === 'initialize') {
      this.#elicitation = parseElicitationSupport(params?.capabilities);
    } else if (isLogLevel(params?.level)) {
      this.#threshold = params.level;
    }
  }
}
