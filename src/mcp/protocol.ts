import { findElements, findSpanAt, splice, withoutMember } from './json-spans.ts';
import {
  isObject,
  type JsonObject,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
} from './message.ts';

/** The kinds of items in rules. A method stands for all its messages. */
export type SubjectKind = 'tool' | 'prompt' | 'resource' | 'method';

/**
 * The protocol family of a message. `handshake`: MCP up to 2025-11-25, with `initialize`, sessions
 * and requests from the server. `stateless`: MCP 2026-07-28 and later, with the protocol version in
 * the `_meta` of each request.
 */
type Era = 'handshake' | 'stateless';

const PROTOCOL_VERSION = 'io.modelcontextprotocol/protocolVersion';

/** `stateless` if the message has a protocol version in its `_meta`. */
export function getProtocolEra(message: JsonRpcMessage): Era {
  return getProtocolVersion(message) === undefined ? 'handshake' : 'stateless';
}

/** The protocol version in the message's `_meta`. Only the stateless era writes it there. */
export function getProtocolVersion(message: JsonRpcMessage): string | undefined {
  const meta = message.kind === 'response' ? undefined : message.params?._meta;
  const version = isObject(meta) ? meta[PROTOCOL_VERSION] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** Modes of elicitation, if the client declared them. */
export interface ElicitationSupport {
  readonly form: boolean;
  readonly url: boolean;
}

/**
 * Reads the modes of elicitation from a client's capabilities. An empty `elicitation` means forms
 * (MCP 2025-11-25, "Elicitation").
 */
export function parseElicitationSupport(capabilities: unknown): ElicitationSupport {
  const elicitation = isObject(capabilities) ? capabilities.elicitation : undefined;
  if (!isObject(elicitation)) return { form: false, url: false };
  const url = isObject(elicitation.url);
  return { form: isObject(elicitation.form) || !url, url };
}

/** Paths of the progress token: in a request, and in a progress notification. */
export const REQUEST_PROGRESS_TOKEN: readonly string[] = ['params', '_meta', 'progressToken'];
export const PROGRESS_TOKEN: readonly string[] = ['params', 'progressToken'];

/** True for requests that stay open until one side ends them (MCP 2026-07-28, Subscriptions). */
export function isSubscriptionRequest(request: JsonRpcRequest): boolean {
  return request.method === 'subscriptions/listen';
}

/** The member with the items of a list result, their kind, and the member with their name. */
export interface ListShape {
  readonly member: string;
  readonly kind: SubjectKind;
  readonly named: string;
}

/** The shape of the result of each list method. */
export const LISTS: ReadonlyMap<string, ListShape> = new Map([
  ['tools/list', { member: 'tools', kind: 'tool', named: 'name' }],
  ['prompts/list', { member: 'prompts', kind: 'prompt', named: 'name' }],
  ['resources/list', { member: 'resources', kind: 'resource', named: 'uri' }],
  [
    'resources/templates/list',
    { member: 'resourceTemplates', kind: 'resource', named: 'uriTemplate' },
  ],
]);

/** The items of a list result, or `undefined` if the response has none. */
export function parseListItems(
  response: JsonRpcResponse,
  { member }: ListShape,
): readonly unknown[] | undefined {
  const result = response.error ? undefined : parseResult(response);
  const items = isObject(result) ? result[member] : undefined;
  return Array.isArray(items) ? items : undefined;
}

/**
 * Filters a list and prefixes descriptions. All other bytes stay the same, including those of
 * unchanged items.
 *
 * @param judge Returns the prefix for an item's description, or `undefined` to remove the item.
 */
export function withList(
  response: JsonRpcResponse,
  shape: ListShape,
  items: readonly unknown[],
  judge: (item: JsonObject) => string | undefined,
): JsonRpcResponse {
  const span = findSpanAt(response.bytes, ['result', shape.member]);
  if (!span) return response;
  let isSame = true;
  const kept = findElements(response.bytes, span).flatMap(({ start, end }, index) => {
    const item = items[index];
    const prefix = isObject(item) ? judge(item) : undefined;
    if (prefix === undefined) {
      isSame = false;
      return [];
    }
    const bytes = response.bytes.subarray(start, end);
    if (prefix === '') return [bytes.toString('utf8')];
    isSame = false;
    return [addDescriptionPrefix(bytes, item as JsonObject, prefix)];
  });
  if (isSame) return response;
  return { ...response, bytes: splice(response.bytes, span, `[${kept.join(',')}]`) };
}

function addDescriptionPrefix(bytes: Buffer, { description }: JsonObject, prefix: string): string {
  const text = typeof description === 'string' ? `${prefix}${description}` : prefix.trim();
  const json = JSON.stringify(text);
  const span = findSpanAt(bytes, ['description']);
  if (span) return splice(bytes, span, json).toString('utf8');
  return bytes
    .toString('utf8')
    .replace('{', () => `{"description":${json},`)
    .replace(/,\s*}$/, '}');
}

/** Maximum pages of a list. Real lists have fewer. */
const MAX_PAGES = 100;

const CURSOR_IN_RESULT = ['result', 'nextCursor'];

/**
 * Reads the pages of a list, each with the cursor of the page before. The list ends if the cursor
 * is absent, null or empty. It also ends if a cursor repeats, because this would be a loop.
 */
export async function* readPages<P>(
  read: (cursor: string | undefined) => Promise<P>,
  getNextCursor: (page: P) => unknown,
  maxPages = MAX_PAGES,
): AsyncGenerator<P, void, void> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let count = 0; count < maxPages; count++) {
    const page = await read(cursor);
    yield page;
    const next = getNextCursor(page);
    if (typeof next !== 'string' || next === '' || seen.has(next)) return;
    seen.add(next);
    cursor = next;
  }
}

/**
 * Removes a `nextCursor` that is null or empty. Servers send both at the end of a list. Many
 * clients reject null, and read the first page again if the cursor is empty.
 */
export function withoutEmptyCursor(
  request: JsonRpcRequest,
  response: JsonRpcResponse,
): JsonRpcResponse {
  if (!request.method.endsWith('/list') || response.error) return response;
  if (!response.bytes.includes('"nextCursor"')) return response;
  const span = findSpanAt(response.bytes, CURSOR_IN_RESULT);
  const token = span && response.bytes.toString('utf8', span.start, span.end);
  if (token !== 'null' && token !== '""') return response;
  return { ...response, bytes: withoutMember(response.bytes, CURSOR_IN_RESULT) };
}
