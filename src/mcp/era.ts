import { isObject, type Message, type Request } from './message.ts';

/**
 * Which MCP a message speaks. `handshake` is everything up to 2025-11-25: `initialize`, a session,
 * requests of the server's own. `stateless` is 2026-07-28 and later: each request carries its
 * protocol version in `_meta`.
 */
export type Era = 'handshake' | 'stateless';

const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';

export function eraOf(message: Message): Era {
  return declaredVersion(message) === undefined ? 'handshake' : 'stateless';
}

/** The protocol version in the message's own `_meta`, which only the stateless era writes there. */
export function declaredVersion(message: Message): string | undefined {
  const meta = message.kind === 'response' ? undefined : message.params?._meta;
  const version = isObject(meta) ? meta[PROTOCOL_VERSION] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** True for requests that stay open until somebody ends them (MCP 2026-07-28, Subscriptions). */
export function isLongLived(request: Request): boolean {
  return request.method === 'subscriptions/listen';
}
