import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';
import type { Peer, RequestContext } from '../relay/peer.ts';

/** The client of one request. Records whether messages have arrived on the request's stream. */
export class ObservedSender implements Peer {
  readonly #client: Peer;
  #anything = false;
  #question = false;
  #progress = Number.NEGATIVE_INFINITY;

  constructor(client: Peer) {
    this.#client = client;
  }

  /** True after any message of the server, which proves that the server was working. */
  get anything(): boolean {
    return this.#anything;
  }

  /** True after a server request, which the client must not receive twice. */
  get question(): boolean {
    return this.#question;
  }

  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    this.#anything = true;
    this.#question = true;
    return this.#client.request(request, context);
  }

  async notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    this.#anything = true;
    if (notification.method === 'notifications/progress') {
      const progress = Number(notification.params?.progress);
      // Drops the progress that a second attempt repeats, because progress has to increase (MCP,
      // "Progress").
      if (progress <= this.#progress) return;
      this.#progress = progress;
    }
    return this.#client.notify(notification, context);
  }
}
