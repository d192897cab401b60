import { declaredVersion } from './era.ts';
import { isObject, type JsonObject, type Notification, type Request } from './message.ts';

/**
 * The HTTP headers that MCP 2026-07-28 has a sender derive from a request's body (Streamable HTTP,
 * "Standard Request Headers" and "Custom Headers from Tool Parameters").
 */

/** An argument that a tool's `inputSchema` wants repeated as a header. */
export interface ParamHeader {
  /** The header's name behind `Mcp-Param-`. */
  readonly name: string;
  /** The keys that lead to the argument. */
  readonly path: readonly string[];
}

/** What `Mcp-Name` repeats, by method. */
const NAME_SOURCES: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/** Deeper than any argument of sense. */
const DEEPEST = 100;

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name`; none in the handshake era. */
export function standardHeaders(message: Request | Notification): Record<string, string> {
  const version = declaredVersion(message);
  if (version === undefined) return {};
  const source = NAME_SOURCES.get(message.method);
  const name = source === undefined ? undefined : message.params?.[source];
  return {
    'mcp-protocol-version': headerValue(version),
    'mcp-method': headerValue(message.method),
    ...(typeof name === 'string' && { 'mcp-name': headerValue(name) }),
  };
}

/** The most characters of each header of W3C Trace Context and Baggage that AgentCore takes. */
const TRACE_HEADERS = { traceparent: 128, tracestate: 512, baggage: 8192 } as const;

/** The trace that the sender put into `_meta`, by the names that OpenTelemetry gives it (SEP-414). */
export function traceHeaders(request: Request): Record<string, string> {
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
 * The `Mcp-Param-*` headers of a `tools/call`. What is absent, null or not a safe scalar gets none,
 * as the specification asks.
 */
export function paramHeaders(
  request: Request,
  declared: readonly ParamHeader[],
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { name, path } of declared) {
    const text = scalarText(valueAt(request.params?.arguments, path));
    if (text !== undefined) headers[`mcp-param-${name.toLowerCase()}`] = headerValue(text);
  }
  return headers;
}

/**
 * The arguments that a tool's `inputSchema` marks with `x-mcp-header`, at any depth below
 * `properties`. A mark that breaks the specification's rules (no token, on an object, a number or an
 * array, the same name twice) is passed over: a conforming server does not write it, and the one
 * that does checks the headers itself.
 */
export function declaredParamHeaders(inputSchema: unknown): ParamHeader[] {
  const found = new Map<string, ParamHeader>();
  const visit = (schema: unknown, path: readonly string[]) => {
    if (!isObject(schema) || path.length > DEEPEST) return;
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

function valueAt(root: unknown, path: readonly string[]): unknown {
  let value = root;
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

function scalarText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
}

/** As it is where HTTP carries it unharmed, else in the specification's Base64 form. */
function headerValue(text: string): string {
  const plain =
    /^[\t\x20-\x7e]+$/.test(text) &&
    text === text.trim() &&
    !(text.startsWith('=?base64?') && text.endsWith('?='));
  return plain ? text : `=?base64?${Buffer.from(text, 'utf8').toString('base64')}?=`;
}
