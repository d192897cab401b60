import { waitUntilSettled } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import {
  createNotification,
  isObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from '../mcp/message.ts';
import { ACKNOWLEDGEMENT_TIMEOUT_MS, type Peer, type RequestContext } from '../relay/peer.ts';
import { listAll } from '../relay/tool-catalog.ts';

/** Maximum number of stored subscriptions. Later ones are not repeated in a new session. */
const MAX_SUBSCRIPTIONS = 10_000;

/** List methods by capability. Only an initialized server answers them. */
const LISTS: readonly (readonly [capability: string, method: string])[] = [
  ['tools', 'tools/list'],
  ['resources', 'resources/list'],
  ['prompts', 'prompts/list'],
];

/**
 * A client's handshake and settings: log level, subscriptions, and the listed tools. Recorded in
 * one session with the server, and repeated in the next one.
 */
export class Handshake {
  #initialize: JsonRpcRequest | undefined;
  #initialized: JsonRpcNotification | undefined;
  #setLevel: JsonRpcRequest | undefined;
  readonly #subscriptions = new Map<string, JsonRpcRequest>();
  #list: string | undefined;
  /** The pages of tools sent to the client, in order, as JSON. */
  #tools: string[] | undefined;

  /** True after a successful `initialize` of the client. */
  get isComplete(): boolean {
    return this.#initialize !== undefined;
  }

  /** A list method from the server's capabilities, for example `tools/list`. Used as a probe. */
  get list(): string | undefined {
    return this.#list;
  }

  /** Records a request with its response. */
  answered(request: JsonRpcRequest, response: JsonRpcResponse): void {
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
        if (this.#subscriptions.size < MAX_SUBSCRIPTIONS) {
          this.#subscriptions.set(String(params?.uri), request);
        }
        break;
      case 'resources/unsubscribe':
        this.#subscriptions.delete(String(params?.uri));
        break;
      case 'tools/list':
        if (params?.cursor === undefined) this.#tools = [];
        this.#tools?.push(getToolsKey(parseResult(response)));
    }
  }

  /** Records a notification of the client. */
  notified(notification: JsonRpcNotification): void {
    if (notification.method === 'notifications/initialized') this.#initialized = notification;
  }

  /**
   * Repeats the handshake and the settings. Ignores a refused or unacknowledged `initialized`: some
   * servers refuse every notification.
   *
   * @throws {AgentCoreError} `upstream` if the server refuses `initialize`; otherwise the errors of
   *   `server`.
   */
  async repeat(server: Peer, context: RequestContext): Promise<void> {
    if (!this.#initialize) throw new Error('There was no handshake that could be repeated');
    const response = await server.request(this.#initialize, context);
    if (response.error) {
      throw new AgentCoreError(
        'upstream',
        `The server refused to be initialized again: ${response.error.message}`,
        { data: { jsonRpcCode: response.error.code, outcome: 'refused' } },
      );
    }
    const initialized = this.#initialized ?? createNotification('notifications/initialized');
    await waitUntilSettled(server.notify(initialized, context), ACKNOWLEDGEMENT_TIMEOUT_MS);
    const settings = [...(this.#setLevel ? [this.#setLevel] : []), ...this.#subscriptions.values()];
    // If the new server refuses a setting, the handshake must still succeed.
    await Promise.allSettled(settings.map((request) => server.request(request, context)));
  }

  /**
   * True if the server's tools differ from those last sent to the client. False if the client never
   * listed tools.
   */
  async hasOtherTools(server: Peer, context: RequestContext): Promise<boolean> {
    const seen = this.#tools;
    if (!seen) return false;
    const now: string[] = [];
    for await (const page of listAll(server, 'tools/list', context, { maxPages: seen.length })) {
      now.push(getToolsKey(page));
    }
    return now.join() !== seen.join();
  }

  #begin(request: JsonRpcRequest, response: JsonRpcResponse): void {
    this.#initialize = request;
    this.#initialized = undefined;
    this.#setLevel = undefined;
    this.#subscriptions.clear();
    this.#tools = undefined;
    const result = parseResult(response);
    const capabilities = isObject(result) && isObject(result.capabilities) && result.capabilities;
    this.#list = capabilities
      ? LISTS.find(([capability]) => capability in capabilities)?.[1]
      : undefined;
  }
}

/** Text for the comparison of pages: the tools, and whether another page follows. */
function getToolsKey(result: unknown): string {
  const { tools, nextCursor } = isObject(result) ? result : {};
  return JSON.stringify([tools, typeof nextCursor === 'string' && nextCursor !== '']);
}

/**
 * Creates the error of a call whose handshake failed. The call reached no server, so its outcome is
 * `refused`.
 *
 * @param sentence The beginning of the message. The cause follows it.
 */
export function createHandshakeError(sentence: string, cause: unknown): AgentCoreError {
  const { code, data } = cause instanceof AgentCoreError ? cause : { code: 'timeout' as const };
  const jsonRpcCode = data?.jsonRpcCode;
  return new AgentCoreError(code, `${sentence}: ${getErrorMessage(cause)}`, {
    cause,
    data: { jsonRpcCode, error: 'session lost', outcome: 'refused' },
  });
}
