import { isObject, type JsonRpcMessage, type JsonRpcRequest } from './message.ts';

/**
 * The protocol family of a message. `handshake`: MCP up to 2025-11-25, with `initialize`, sessions
 * and requests from the server. `stateless`: MCP 2026-07-28 and later, with the protocol version in
 * the `_meta` of each request.
 */
type Era = 'handshake' | 'stateless';

const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';

export function getProtocolEra(message: JsonRpcMessage): Era {
  return getProtocolVersion(message) === undefined ? 'handshake' : 'stateless';
}

/** The protocol version in the message's `_meta`. Only the stateless era writes it there. */
export function getProtocolVersion(message: JsonRpcMessage): string | undefined {
  const meta = message.kind === 'response' ? undefined : message.params?._meta;
  const version = isObject(meta) ? meta[PROTOCOL_VERSION] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** True for requests that stay open until one side ends them (MCP 2026-07-28, Subscriptions). */
export function isSubscriptionRequest(request: JsonRpcRequest): boolean {
  return request.method === 'subscriptions/listen';
}
