import type { JsonRpcId } from '../answers/platform-error.ts';

/** The first version of MCP without a handshake and without sessions. */
const SESSIONLESS_SINCE = '2026-07-28';

/** What the platform reads of a message before it passes the bytes on. */
export interface McpMessage {
  /** Absent in a notification, in an answer, and in what is no JSON-RPC at all. */
  readonly id: JsonRpcId | undefined;
  readonly method: string | undefined;
  /** `params.name`, or `params.uri`. */
  readonly target: string | undefined;
  /** A request, which gets an answer; false for notifications and for the client's own answers. */
  readonly expectsAnswer: boolean;
  readonly sessionless: boolean;
}

/** Broken JSON is a message without an id or a method: the container says what is wrong with it. */
export function readMcpMessage(body: Buffer, versionHeader: string | undefined): McpMessage {
  const message = parse(body);
  const params = field(message, 'params');
  const id = field(message, 'id');
  const method = text(field(message, 'method'));
  const version =
    versionHeader ?? text(field(field(params, '_meta'), 'io.modelcontextprotocol/protocolVersion'));
  const hasId = typeof id === 'string' || typeof id === 'number';
  return {
    id: hasId ? id : undefined,
    method,
    target: text(field(params, 'name')) ?? text(field(params, 'uri')),
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

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
