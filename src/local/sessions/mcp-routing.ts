import { randomUUID } from 'node:crypto';
import type { RuntimeConfig } from '../config/schema.ts';
import { type Answer, createJsonRpcErrorResponse, type JsonRpcId } from '../http/errors.ts';
import type { RuntimeSession, SessionTable } from './runtime-session.ts';

// The routing of MCP messages to runtime sessions.

/** The destination of a message: an existing session, a new session, or a refusal. */
export type McpRoute =
  | { readonly kind: 'session'; readonly session: RuntimeSession }
  /** The caller must call `open` to create the session. */
  | { readonly kind: 'new'; open(): RuntimeSession }
  | { readonly kind: 'refused'; readonly answer: Answer };

export interface McpRouting {
  readonly config: RuntimeConfig;
  readonly sessions: SessionTable;
  readonly message: McpMessage;
  readonly qualifier: string;
  /** The id that the client sent. */
  readonly mcpSessionId: string | undefined;
  readonly runtimeSessionId: string | undefined;
}

/**
 * Routing id of the microVM for requests without an id, if they share one (switch
 * `withoutSessionId`).
 */
const SHARED = '';

/** Finds the destination of a message, according to its ids and the switches. */
export function routeMcp(routing: McpRouting): McpRoute {
  const { config, message, mcpSessionId, qualifier, sessions } = routing;
  const id = getRoutingId(routing);
  if (id === undefined) {
    const shared = config.switches.withoutSessionId === 'shared-microvm' && !message.sessionless;
    return shared ? findOrCreateRoute(routing, SHARED) : createNewRoute(routing, undefined);
  }
  if (message.sessionless) return findOrCreateRoute(routing, id);
  const known = sessions.find(qualifier, id);
  if (config.sessions === 'stateful' && mcpSessionId !== undefined) {
    if (known?.stopped && config.switches.goneSession !== 'fresh-container') {
      return { kind: 'refused', answer: createGoneResponse(routing) };
    }
    if (!known && config.switches.inventedIdOnStateful === 'refuse') {
      return { kind: 'refused', answer: createRefusedResponse(routing) };
    }
  }
  if (
    config.sessions === 'stateless' &&
    !known &&
    id === mcpSessionId &&
    config.switches.inventedIdOnStateless === 'refuse'
  ) {
    return { kind: 'refused', answer: createRefusedResponse(routing) };
  }
  return findOrCreateRoute(routing, id);
}

function getRoutingId({
  config,
  message,
  mcpSessionId,
  runtimeSessionId,
}: McpRouting): string | undefined {
  const { routeMcpBy, sessionlessAffinity } = config.switches;
  switch (message.sessionless ? sessionlessAffinity : routeMcpBy) {
    case 'none':
      return undefined;
    case 'mcp-session-id':
      return mcpSessionId;
    case 'runtime-session-id':
      return runtimeSessionId;
    case 'either':
      return mcpSessionId ?? runtimeSessionId;
  }
}

function findOrCreateRoute(routing: McpRouting, id: string): McpRoute {
  const session = routing.sessions.find(routing.qualifier, id);
  return session ? { kind: 'session', session } : createNewRoute(routing, id);
}

function createNewRoute(routing: McpRouting, id: string | undefined): McpRoute {
  const { config, message, qualifier, sessions } = routing;
  return {
    kind: 'new',
    open: () => {
      const runtimeSessionId = routing.runtimeSessionId ?? randomUUID();
      const minted = config.switches.mintedMcpSessionId === 'own' ? randomUUID() : runtimeSessionId;
      // A stateful server issues the id in its response to `initialize`.
      const issuedByPlatform = config.sessions === 'stateless' || message.sessionless;
      const mcpSessionId = routing.mcpSessionId ?? (issuedByPlatform ? minted : undefined);
      const session = sessions.open({
        qualifier,
        routingId: id ?? getLaterRoutingId(routing, mcpSessionId, runtimeSessionId),
        runtimeSessionId,
        mcpSessionId,
      });
      // With `either`, the issued `Mcp-Session-Id` can also route requests.
      const goesByEither = config.switches.routeMcpBy === 'either' && !message.sessionless;
      if (goesByEither && mcpSessionId !== undefined) sessions.bind(session, mcpSessionId);
      return session;
    },
  };
}

/** The id that routes the client's later requests to this microVM. */
function getLaterRoutingId(
  { config, message }: McpRouting,
  mcpSessionId: string | undefined,
  runtimeSessionId: string,
): string | undefined {
  const { routeMcpBy, sessionlessAffinity } = config.switches;
  const by = message.sessionless ? sessionlessAffinity : routeMcpBy;
  if (by === 'none') return undefined;
  return by === 'runtime-session-id' ? runtimeSessionId : mcpSessionId;
}

function createGoneResponse({ config, message }: McpRouting): Answer {
  const id = message.id ?? null;
  switch (config.switches.goneSession) {
    case 'server-not-initialized':
      return createJsonRpcErrorResponse(400, null, {
        code: -32000,
        message: 'Bad Request: Server not initialized',
      });
    case 'invalid-params':
      return createJsonRpcErrorResponse(200, id, {
        code: -32602,
        message: 'Invalid request parameters',
        data: '',
      });
    case 'internal-error':
      return createJsonRpcErrorResponse(200, id, {
        code: -32603,
        message: 'An internal error occurred while processing the request.',
      });
    default:
      return createSessionNotFoundResponse(null);
  }
}

function createRefusedResponse({ config }: McpRouting): Answer {
  if (config.switches.refusedId === 'not-found') return createSessionNotFoundResponse(null);
  return createJsonRpcErrorResponse(400, null, {
    code: -32600,
    message: 'Bad Request: No valid session ID provided',
  });
}

function createSessionNotFoundResponse(id: JsonRpcId): Answer {
  return createJsonRpcErrorResponse(404, id, { code: -32001, message: 'Session not found' });
}

/** The first MCP version without handshake and sessions. */
const SESSIONLESS_SINCE = '2026-07-28';

/** The fields of a message that the platform reads before it forwards the message. */
export interface McpMessage {
  /** `undefined` for notifications, and if there is no valid id. */
  readonly id: JsonRpcId | undefined;
  readonly method: string | undefined;
  /** `params.name` or `params.uri`. */
  readonly target: string | undefined;
  /** True for requests, batches and invalid JSON. False for notifications and responses. */
  readonly expectsAnswer: boolean;
  readonly sessionless: boolean;
}

/**
 * Parses a message. Invalid JSON results in a message without id and method, so the container
 * reports the error.
 */
export function readMcpMessage(body: Buffer, versionHeader: string | undefined): McpMessage {
  const message = parse(body);
  const params = getField(message, 'params');
  const id = getField(message, 'id');
  const method = getText(getField(message, 'method'));
  const version =
    versionHeader ??
    getText(getField(getField(params, '_meta'), 'io.modelcontextprotocol/protocolVersion'));
  const hasId = typeof id === 'string' || typeof id === 'number';
  return {
    id: hasId ? id : undefined,
    method,
    target: getText(getField(params, 'name')) ?? getText(getField(params, 'uri')),
    expectsAnswer:
      message === undefined || Array.isArray(message) || (hasId && method !== undefined),
    sessionless: version !== undefined && version >= SESSIONLESS_SINCE,
  };
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function getField(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function getText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
