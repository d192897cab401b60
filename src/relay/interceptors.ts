import type { Notification, Request, Response, Sender } from '../mcp/message.ts';
import type { Exchange, Peer } from './peer.ts';

/** A message under way, with the side that it comes from. */
export interface Passage extends Exchange {
  readonly from: Sender;
}

/**
 * A rule on the way between the two ends. It sees every request and notification of both sides,
 * and may pass it on (as it is, changed, or more than once), answer it itself, or ask either side
 * something of its own: what it sends to `next` or to `passage.back` is answered to it.
 */
export interface Interceptor {
  request?(request: Request, passage: Passage, next: Peer): Promise<Response>;
  notify?(notification: Notification, passage: Passage, next: Peer): Promise<void>;
}

/**
 * The server as the client sees it, through the interceptors. A client's message meets the first
 * one first; what the server sends back meets the last one first.
 */
export function throughInterceptors(interceptors: readonly Interceptor[], server: Peer): Peer {
  const toServer = chain(interceptors, 'client', server);
  const backwards = interceptors.toReversed();
  // The client is the same peer for as long as its connection lasts.
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
