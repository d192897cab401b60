import {
  createNotification,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  replaceValueAt,
} from '../mcp/message.ts';
import { isSubscriptionRequest, PROGRESS_TOKEN, REQUEST_PROGRESS_TOKEN } from '../mcp/protocol.ts';
import type { Interceptor, Peer, RequestContext } from './peer.ts';

/**
 * Sends progress notifications for an open call with a progress token, so the client does not time
 * out. Stops when the server sends its own.
 */
export class KeepAliveInterceptor implements Interceptor {
  readonly #interval: number;

  /** @param interval Milliseconds between progress notifications. */
  constructor(interval: number) {
    this.#interval = interval;
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const token = readIdAt(request, REQUEST_PROGRESS_TOKEN)?.token;
    if (
      context.direction === 'to-client' ||
      token === undefined ||
      isSubscriptionRequest(request)
    ) {
      return next.request(request, context);
    }
    let count = 0;
    const toClient: RequestContext = { ...context, direction: 'to-client' };
    const timer = setInterval(() => {
      const seconds = Math.round((++count * this.#interval) / 1000);
      const alive = createNotification('notifications/progress', {
        progressToken: 0,
        // Progress must increase. Negative values stay below the first value of a server.
        progress: -1 / count,
        message: `Still running after ${seconds} s`,
      });
      const named = replaceValueAt(alive, PROGRESS_TOKEN, token);
      context.sender.notify(named, toClient).catch(() => undefined);
    }, this.#interval);
    const sender = new ProgressWatcher(context.sender, () => clearInterval(timer));
    try {
      return await next.request(request, { ...context, sender });
    } finally {
      clearInterval(timer);
    }
  }
}

/** Wraps the client of a call. Detects the server's own progress notifications. */
class ProgressWatcher implements Peer {
  readonly #client: Peer;
  readonly #onProgress: () => void;

  constructor(client: Peer, onProgress: () => void) {
    this.#client = client;
    this.#onProgress = onProgress;
  }

  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    return this.#client.request(request, context);
  }

  notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    if (notification.method === 'notifications/progress') this.#onProgress();
    return this.#client.notify(notification, context);
  }
}
