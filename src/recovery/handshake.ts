import { AgentCoreError, messageOf } from '../error.ts';
import {
  isObject,
  makeNotification,
  makeRequest,
  type Notification,
  numericId,
  type Request,
  type Response,
  resultOf,
} from '../mcp/message.ts';
import { readPages } from '../mcp/pages.ts';
import { ACKNOWLEDGEMENT_TIMEOUT_MS, type Exchange, type Peer } from '../relay/peer.ts';
import { settledWithin } from '../relay/settled-within.ts';

/** Subscriptions that are remembered; whoever has more subscribes again itself. */
const MOST_SUBSCRIPTIONS = 10_000;

/** Lists that tell whether a server is initialized, by the capability that announces them. */
const LISTS: readonly (readonly [capability: string, method: string])[] = [
  ['tools', 'tools/list'],
  ['resources', 'resources/list'],
  ['prompts', 'prompts/list'],
];

/** What a client has set up with its server, so that the same can be set up with the next one. */
export class Handshake {
  #initialize: Request | undefined;
  #initialized: Notification | undefined;
  #setLevel: Request | undefined;
  readonly #subscriptions = new Map<string, Request>();
  #list: string | undefined;
  /** The pages of tools that the client has seen, in order, as JSON. */
  #tools: string[] | undefined;

  /** True once the client has initialized and a server has agreed. */
  get isComplete(): boolean {
    return this.#initialize !== undefined;
  }

  /** A list method that the server announced, which it answers if it is initialized. */
  get list(): string | undefined {
    return this.#list;
  }

  /** Takes in a request that the server answered. */
  answered(request: Request, response: Response): void {
    if (response.error) return;
    const { method, params } = request;
    switch (method) {
      case 'initialize':
        this.#begin(request, response);
        break;
      case 'logging/setLevel':
        this.#setLevel = request;
        break;
      case 'resources/subscribe':
        if (this.#subscriptions.size < MOST_SUBSCRIPTIONS) {
          this.#subscriptions.set(String(params?.uri), request);
        }
        break;
      case 'resources/unsubscribe':
        this.#subscriptions.delete(String(params?.uri));
        break;
      case 'tools/list':
        if (params?.cursor === undefined) this.#tools = [];
        this.#tools?.push(toolsOf(response).text);
    }
  }

  /** Takes in a notification of the client's. */
  told(notification: Notification): void {
    if (notification.method === 'notifications/initialized') this.#initialized = notification;
  }

  /**
   * Does it all once more. A notification proves nothing, so `initialized` may be refused, or never
   * be acknowledged.
   *
   * @throws {AgentCoreError} `upstream` where the server does not agree; else as `server` does.
   */
  async repeat(server: Peer, exchange: Exchange): Promise<void> {
    if (!this.#initialize) throw new Error('There was no handshake that could be repeated');
    const response = await server.request(this.#initialize, exchange);
    if (response.error) {
      throw new AgentCoreError(
        'upstream',
        `The server refused to be initialized again: ${response.error.message}`,
        { data: { jsonRpcCode: response.error.code, outcome: 'refused' } },
      );
    }
    const initialized = this.#initialized ?? makeNotification('notifications/initialized');
    await settledWithin(server.notify(initialized, exchange), ACKNOWLEDGEMENT_TIMEOUT_MS);
    const settings = [...(this.#setLevel ? [this.#setLevel] : []), ...this.#subscriptions.values()];
    // What the new server does not take is no reason to be without it.
    await Promise.allSettled(settings.map((request) => server.request(request, exchange)));
  }

  /** True where the server lists other tools than the client has seen; false for a client without. */
  async hasOtherTools(server: Peer, exchange: Exchange): Promise<boolean> {
    const seen = this.#tools;
    if (!seen) return false;
    const now: string[] = [];
    const read = async (cursor: string | undefined) => {
      const params = cursor === undefined ? {} : { cursor };
      const list = makeRequest(numericId(0), 'tools/list', params);
      return toolsOf(await server.request(list, exchange));
    };
    for await (const { text } of readPages(read, ({ cursor }) => cursor, seen.length)) {
      now.push(text);
    }
    return now.join() !== seen.join();
  }

  #begin(request: Request, response: Response): void {
    this.#initialize = request;
    this.#initialized = undefined;
    this.#setLevel = undefined;
    this.#subscriptions.clear();
    this.#tools = undefined;
    const result = resultOf(response);
    const capabilities = isObject(result) && isObject(result.capabilities) && result.capabilities;
    this.#list = capabilities
      ? LISTS.find(([capability]) => capability in capabilities)?.[1]
      : undefined;
  }
}

function toolsOf(response: Response): { text: string; cursor: string | undefined } {
  const result = response.error ? undefined : resultOf(response);
  if (!isObject(result)) throw new AgentCoreError('protocol', 'The server lists no tools');
  const { nextCursor } = result;
  const cursor = typeof nextCursor === 'string' && nextCursor !== '' ? nextCursor : undefined;
  return { text: JSON.stringify([result.tools, cursor !== undefined]), cursor };
}

/**
 * The error of a call that could not be sent because the handshake before it failed. It reached
 * nobody, and the handshake has been tried again already as often as makes sense.
 *
 * @param sentence Ends where the cause follows.
 */
export function createHandshakeError(sentence: string, cause: unknown): AgentCoreError {
  const { code, data } = cause instanceof AgentCoreError ? cause : { code: 'timeout' as const };
  const jsonRpcCode = data?.jsonRpcCode;
  return new AgentCoreError(code, `${sentence}: ${messageOf(cause)}`, {
    cause,
    data: { jsonRpcCode, error: 'session lost', outcome: 'refused' },
  });
}
