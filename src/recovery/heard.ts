import type { Notification, Request, Response } from '../mcp/message.ts';
import type { Exchange, Peer } from '../relay/peer.ts';

/** The client during one request: it knows what the request's stream has brought so far. */
export class Heard implements Peer {
  readonly #client: Peer;
  #anything = false;
  #question = false;
  #progress = Number.NEGATIVE_INFINITY;

  constructor(client: Peer) {
    this.#client = client;
  }

  /** True once the server said something, and so was at work. */
  get anything(): boolean {
    return this.#anything;
  }

  /** True once the client was asked something, which it must not be asked twice. */
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
      // What a second attempt says again is no progress, which has to increase (MCP, "Progress").
      if (progress <= this.#progress) return;
      this.#progress = progress;
    }
    return this.#client.notify(notification, exchange);
  }
}
