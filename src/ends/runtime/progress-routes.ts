import { idAt, type Notification, type Request, withTokenAt } from '../../mcp/message.ts';
import type { RuntimeSession } from '../../sessions/runtime-session.ts';

const TOKEN_IN_REQUEST = ['params', '_meta', 'progressToken'];
const TOKEN_IN_PROGRESS = ['params', 'progressToken'];

interface Route {
  readonly session: RuntimeSession;
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
  enter(request: Request, session: RuntimeSession): Request {
    const id = idAt(request, TOKEN_IN_REQUEST);
    if (!id) return request;
    const taken = this.#routes.get(id.key);
    if (!taken || taken.session === session) {
      this.#routes.set(id.key, { session, token: id.token });
      return request;
    }
    const token = JSON.stringify(`agentcore-mcp-${++this.#renamed}`);
    this.#routes.set(token, { session, token: id.token });
    return withTokenAt(request, TOKEN_IN_REQUEST, token);
  }

  /** Where a client's notification goes if it reports progress, and how the server knows it. */
  routeOf(
    notification: Notification,
  ): { session: RuntimeSession; notification: Notification } | undefined {
    if (notification.method !== 'notifications/progress') return undefined;
    const route = this.#routes.get(idAt(notification, TOKEN_IN_PROGRESS)?.key ?? '');
    if (!route) return undefined;
    return {
      session: route.session,
      notification: withTokenAt(notification, TOKEN_IN_PROGRESS, route.token),
    };
  }

  leave(session: RuntimeSession): void {
    for (const [key, route] of this.#routes) {
      if (route.session === session) this.#routes.delete(key);
    }
  }
}
