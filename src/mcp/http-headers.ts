import {
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
} from './message.ts';
import { getProtocolVersion } from './protocol.ts';

/**
 * HTTP headers derived from the body of a request in MCP 2026-07-28 (Streamable HTTP, "Standard
 * Request Headers" and "Custom Headers from Tool Parameters").
 */

/** A tool argument that its `inputSchema` marks for a header. */
export interface ParamHeader {
  /** The header name after `Mcp-Param-`. */
  readonly name: string;
  /** Keys from the arguments object to the argument. */
  readonly path: readonly string[];
}

/** The parameter for `Mcp-Name`, by method. */
const NAME_SOURCES: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** Bound on recursion. Real arguments are not nested this deep. */
const MAX_DEPTH = 100;

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name`; none in the handshake era. */
export function createStandardHeaders(
  message: JsonRpcRequest | JsonRpcNotification,
): Record<string, string> {
  const version = getProtocolVersion(message);
  if (version === undefined) return {};
  const source = NAME_SOURCES.get(message.method);
  const name = source === undefined ? undefined : message.params?.[source];
  return {
    'mcp-protocol-version': encodeHeaderValue(version),
    'mcp-method': encodeHeaderValue(message.method),
    ...(typeof name === 'string' && { 'mcp-name': encodeHeaderValue(name) }),
  };
}

/** Maximum characters of each W3C Trace Context and Baggage header in AgentCore. */
const TRACE_HEADERS = { traceparent: 128, tracestate: 512, baggage: 8192 } as const;

/**
 * The trace context in the request's `_meta`, as headers with their OpenTelemetry names (SEP-414).
 */
export function createTraceHeaders(request: JsonRpcRequest): Record<string, string> {
  const meta = request.params?._meta;
  if (!isObject(meta)) return {};
  const headers: Record<string, string> = {};
  for (const [name, longest] of Object.entries(TRACE_HEADERS)) {
    const value = meta[name];
    if (typeof value !== 'string' || value.length > longest) continue;
    if (VISIBLE.test(value)) headers[name] = value;
  }
  return headers;
}

const VISIBLE = /^[\x20-\x7e]+$/;

/**
 * The `Mcp-Param-*` headers of a `tools/call`. As the specification requires, an argument gets no
 * header if it is absent, null or not a safe scalar.
 */
export function createParamHeaders(
  request: JsonRpcRequest,
  declared: readonly ParamHeader[],
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { name, path } of declared) {
    const text = toScalarText(getValueAt(request.params?.arguments, path));
    if (text !== undefined) headers[`mcp-param-${name.toLowerCase()}`] = encodeHeaderValue(text);
  }
  return headers;
}

/**
 * Finds the arguments with `x-mcp-header` in a tool's `inputSchema`, at any depth below
 * `properties`. Ignores marks that break the specification: a name that is no token, a type other
 * than string, integer or boolean, or a repeated name. The tool is then invalid, and its server
 * checks the headers itself.
 */
export function parseParamHeaders(inputSchema: unknown): ParamHeader[] {
  const found = new Map<string, ParamHeader>();
  const visit = (schema: unknown, path: readonly string[]) => {
    if (!isObject(schema) || path.length > MAX_DEPTH) return;
    const name = schema['x-mcp-header'];
    if (path.length > 0 && typeof name === 'string' && isMarkable(schema, name)) {
      if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), { name, path });
    }
    if (!isObject(schema.properties)) return;
    for (const [key, child] of Object.entries(schema.properties)) visit(child, [...path, key]);
  };
  visit(inputSchema, []);
  return [...found.values()];
}

function isMarkable(schema: JsonObject, name: string): boolean {
  return HEADER_NAME.test(name) && /^(string|integer|boolean)$/.test(String(schema.type));
}

function getValueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

function toScalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}

/** Returns the text unchanged if HTTP can carry it, else in the specification's Base64 form. */
function encodeHeaderValue(text: string): string {
  const plain =
    /^[\t\x20-\x7e]+$/.test(text) &&
    text === text.trim() &&
    !(text.startsWith('=?base64?') && text.endsWith('?='));
  return plain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}
