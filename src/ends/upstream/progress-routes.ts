import {
  type JsonRpcNotification,
  type JsonRpcRequest,
  readIdAt,
  replaceValueAt,
} from '../../mcp/message.ts';

const TOKEN_IN_REQUEST = ['params', '_meta', 'progressToken'];

const TOKEN_IN_PROGRESS = ['params', 'progressToken'];

/** The connection to a session's server. */
interface Listener {
  notify(notification: JsonRpcNotification): Promise<void>;
}

interface Route {
  readonly server: Listener;
  /** The token at the server. */
  readonly token: string;
}

/**
 * Maps the progress tokens of server requests to their sessions. Every microVM assigns its tokens
 * independently, so tokens may collide. The later one is replaced toward the client.
 */
export class ProgressTokenMap {
  readonly #routes = new Map<string, Route>();
  #renamed = 0;

  /** Registers a server request. Returns it with the token for the client. */
  enter(request: JsonRpcRequest, server: Listener): JsonRpcRequest {
    const id = readIdAt(request, TOKEN_IN_REQUEST);
    if (!id) return request;
    const taken = this.#routes.get(id.key);
    if (!taken || taken.server === server) {
      this.#routes.set(id.key, { server, token: id.token });
      return request;
    }
    const token = JSON.stringify(`agentcore-mcp-${++this.#renamed}`);
    this.#routes.set(token, { server, token: id.token });
    return replaceValueAt(request, TOKEN_IN_REQUEST, token);
  }

  /**
   * The target of a client's progress notification, and the notification with the server's token.
   */
  findRoute(
    notification: JsonRpcNotification,
  ): { server: Listener; notification: JsonRpcNotification } | undefined {
    if (notification.method !== 'notifications/progress') return undefined;
    const route = this.#routes.get(readIdAt(notification, TOKEN_IN_PROGRESS)?.key ?? '');
    if (!route) return undefined;
    return {
      server: route.server,
      notification: replaceValueAt(notification, TOKEN_IN_PROGRESS, route.token),
    };
  }

  leave(server: Listener): void {
    for (const [key, route] of this.#routes) {
      if (route.server === server) this.#routes.delete(key);
    }
  }
}
