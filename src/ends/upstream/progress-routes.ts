import { idAt, type Notification, type Request, withTokenAt } from '../../mcp/message.ts';

const TOKEN_IN_REQUEST = ['params', '_meta', 'progressToken'];
const TOKEN_IN_PROGRESS = ['params', 'progressToken'];

/** A session's way to its server. */
interface Listener {
  notify(notification: Notification): Promise<void>;
}

interface Route {
  readonly server: Listener;
  /** The token as the server knows it. */
  readonly token: string;
}

/**
 * Which session wants to hear of the progress of which request. Every microVM counts its progress
 * tokens by itself, so two sessions may pick the same one; the later gets another toward the client.
 */
export class ProgressRoutes {
  readonly #routes = new Map<string, Route>();
  #renamed = 0;

  /** Takes in a server's own request; returns it as the client is to see it. */
  enter(request: Request, server: Listener): Request {
    const id = idAt(request, TOKEN_IN_REQUEST);
    if (!id) return request;
    const taken = this.#routes.get(id.key);
    if (!taken || taken.server === server) {
      this.#routes.set(id.key, { server, token: id.token });
      return request;
    }
    const token = JSON.stringify(`agentcore-mcp-${++this.#renamed}`);
    this.#routes.set(token, { server, token: id.token });
    return withTokenAt(request, TOKEN_IN_REQUEST, token);
  }

  /** Where a client's notification goes if it reports progress, and how the server knows it. */
  routeOf(
    notification: Notification,
  ): { server: Listener; notification: Notification } | undefined {
    if (notification.method !== 'notifications/progress') return undefined;
    const route = this.#routes.get(idAt(notification, TOKEN_IN_PROGRESS)?.key ?? '');
    if (!route) return undefined;
    return {
      server: route.server,
      notification: withTokenAt(notification, TOKEN_IN_PROGRESS, route.token),
    };
  }

  leave(server: Listener): void {
    for (const [key, route] of this.#routes) {
      if (route.server === server) this.#routes.delete(key);
    }
  }
}
