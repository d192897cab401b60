import type { Notification, Request, Response } from '../mcp/message.ts';
import type { Exchange, Peer } from '../relay/peer.ts';

/** The client of one request. Records whether messages have arrived on the request's stream. */
export class Heard implements Peer {
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

  request(request: Request, exchange: Exchange): Promise<Response> {
    this.#anything = true;
    this.#question = true;
    return this.#client.request(request, exchange);
  }

  async notify(notification: Notification, exchange: Exchange): Promise<void> {
    this.#anything = true;
    if (notification.method === 'notifications/progress') {
      const progress = Number(notification.params?.progress);
      // Drops the progress that a second attempt repeats, because progress has to increase (MCP,
      // "Progress").
      if (progress <= this.#progress) return;
      this.#progress = progress;
    }
    return this.#client.notify(notification, exchange);
  }
}
