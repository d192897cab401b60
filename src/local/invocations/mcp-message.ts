import type { JsonRpcId } from '../answers/platform-error.ts';

/** The first MCP version without a handshake and without sessions. */
const SESSIONLESS_SINCE = '2026-07-28';

/** The fields read by the platform before it forwards a message. */
export interface McpMessage {
  /** `undefined` for notifications, and for bodies without a valid id. */
  readonly id: JsonRpcId | undefined;
  readonly method: string | undefined;
  /** `params.name` or `params.uri`. */
  readonly target: string | undefined;
  /** True for requests, batches and invalid JSON; false for notifications and responses. */
  readonly expectsAnswer: boolean;
  readonly sessionless: boolean;
}

/** Treats broken JSON as a message without id and method, so the container reports the error. */
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
