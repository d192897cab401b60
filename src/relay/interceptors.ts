import type {
  JsonRpcNotification,
  JsonRpcRequest,
  JsonRpcResponse,
  Sender,
} from '../mcp/message.ts';
import type { Peer, RequestContext } from './peer.ts';

/** Context of a message in transit, with its sending side. */
export interface Passage extends RequestContext {
  readonly from: Sender;
}

/**
 * A step between the two ends. It receives every request and notification of both sides. It may
 * forward a message (unchanged, changed, or several times), answer a request itself, or send its
 * own messages to `next` or `passage.back`. Responses to its own requests return to it.
 */
export interface Interceptor {
  request?(request: JsonRpcRequest, context: Passage, next: Peer): Promise<JsonRpcResponse>;
  notify?(notification: JsonRpcNotification, context: Passage, next: Peer): Promise<void>;
}

/**
 * Wraps the server in the interceptors. Messages from the client pass the first interceptor first;
 * messages from the server pass the last one first.
 */
export function applyInterceptors(interceptors: readonly Interceptor[], server: Peer): Peer {
  const toServer = chainInterceptors(interceptors, 'client', server);
  const backwards = interceptors.toReversed();
  // Cache: the client is the same peer as long as its connection lasts.
  const clients = new WeakMap<Peer, Peer>();
  const facing = (context: RequestContext): RequestContext => {
    const { sender } = context;
    let client = clients.get(sender);
    if (!client) {
      client = chainInterceptors(backwards, 'server', sender);
      clients.set(sender, client);
    }
    return { ...context, sender: client };
  };
  return {
    request: (request, context) => toServer.request(request, facing(context)),
    notify: (notification, context) => toServer.notify(notification, facing(context)),
  };
}

function chainInterceptors(interceptors: readonly Interceptor[], from: Sender, end: Peer): Peer {
  return interceptors.reduceRight<Peer>(
    (next, interceptor) => ({
      request: (request, context) =>
        interceptor.request?.(request, { ...context, from }, next) ??
        next.request(request, context),
      notify: (notification, context) =>
        interceptor.notify?.(notification, { ...context, from }, next) ??
        next.notify(notification, context),
    }),
    end,
  );
}
