import { findElements, findSpanAt, splice } from '../mcp/json-spans.ts';
import { isObject, type JsonObject, type JsonRpcResponse, parseResult } from '../mcp/message.ts';
import type { SubjectKind } from './documents/policy.ts';

/** The member with the items of a list result, their kind, and the member with their name. */
export interface ListShape {
  readonly member: string;
  readonly kind: SubjectKind;
  readonly named: string;
}

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
