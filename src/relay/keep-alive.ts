import { isLongLived } from '../mcp/era.ts';
import {
  idAt,
  makeNotification,
  type Notification,
  type Request,
  type Response,
  withTokenAt,
} from '../mcp/message.ts';
import type { Interceptor, Passage } from './interceptors.ts';
import type { Exchange, Peer } from './peer.ts';

/**
 * Tells a client that gave a progress token that its call is still open, so that it does not give
 * up on a server that reports no progress. A server that does is left to do so by itself.
 */
export class KeepAlive implements Interceptor {
  readonly #interval: number;

  /** @param interval Milliseconds of silence after which the client is told. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const token = idAt(request, ['params', '_meta', 'progressToken'])?.token;
    if (passage.from === 'server' || token === undefined || isLongLived(request)) {
      return next.request(request, passage);
    }
    let told = 0;
    const timer = setInterval(() => {
      const seconds = Math.round((++told * this.#interval) / 1000);
      const alive = makeNotification('notifications/progress', {
        progressToken: 0,
        // Progress has to increase: this stays below whatever a server may begin with.
        progress: -1 / told,
        message: `Still running after ${seconds} s`,
      });
      const named = withTokenAt(alive, ['params', 'progressToken'], token);
      passage.back.notify(named, passage).catch(() => undefined);
    }, this.#interval);
    const back = new UntilProgress(passage.back, () => clearInterval(timer));
    try {
      return await next.request(request, { ...passage, back });
    } finally {
      clearInterval(timer);
    }
  }
}

/** The client, up to the first progress that the server itself reports to it. */
class UntilProgress implements Peer {
  readonly #client: Peer;
  readonly #onProgress: () => void;

  constructor(client: Peer, onProgress: () => void) {
    this.#client = client;
    this.#onProgress = onProgress;
  }

  request(request: Request, exchange: Exchange): Promise<Response> {
    return this.#client.request(request, exchange);
  }

  notify(notification: Notification, exchange: Exchange): Promise<void> {
    if (notification.method === 'notifications/progress') this.#onProgress();
    return this.#client.notify(notification, exchange);
  }
}
