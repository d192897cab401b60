import type { Notification, Request, Response, Sender } from '../mcp/message.ts';
import type { Exchange, Peer } from './peer.ts';

/** Context of a message in transit, with its sending side. */
export interface Passage extends Exchange {
  readonly from: Sender;
}

/**
 * A step between the two ends. It receives every request and notification of both sides. It may
 * forward a message (unchanged, changed, or several times), answer a request itself, or send its
 * own messages to `next` or `passage.back`. Responses to its own requests return to it.
 */
export interface Interceptor {
  request?(request: Request, passage: Passage, next: Peer): Promise<Response>;
  notify?(notification: Notification, passage: Passage, next: Peer): Promise<void>;
}

/**
 * Wraps the server in the interceptors. Messages from the client pass the first interceptor first;
 * messages from the server pass the last one first.
 */
export function throughInterceptors(interceptors: readonly Interceptor[], server: Peer): Peer {
  const toServer = chain(interceptors, 'client', server);
  const backwards = interceptors.toReversed();
  // Cache: the client is the same peer as long as its connection lasts.
  const clients = new WeakMap<Peer, Peer>();
  const facing = (exchange: Exchange): Exchange => {
    const { back } = exchange;
    let client = clients.get(back);
    if (!client) {
      client = chain(backwards, 'server', back);
      clients.set(back, client);
    }
    return { ...exchange, back: client };
  };
  return {
    request: (request, exchange) => toServer.request(request, facing(exchange)),
    notify: (notification, exchange) => toServer.notify(notification, facing(exchange)),
  };
}

function chain(interceptors: readonly Interceptor[], from: Sender, end: Peer): Peer {
  return interceptors.reduceRight<Peer>(
    (next, interceptor) => ({
      request: (request, exchange) =>
        interceptor.request?.(request, { ...exchange, from }, next) ??
        next.request(request, exchange),
      notify: (notification, exchange) =>
        interceptor.notify?.(notification, { ...exchange, from }, next) ??
        next.notify(notification, exchange),
    }),
    end,
  );
}
