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
 * Reports progress to a client with a progress token, so its open call does not time out. Stops
 * when the server reports its own progress.
 */
export class KeepAlive implements Interceptor {
  readonly #interval: number;

  /** @param interval Milliseconds between progress notifications. */
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
        // Progress must increase. Negative values stay below the first value of a server.
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

/** Forwards to the client and detects the first progress notification of the server. */
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
