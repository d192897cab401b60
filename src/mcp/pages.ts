import { findSpanAt, withoutMember } from './json-spans.ts';
import type { JsonRpcRequest, JsonRpcResponse } from './message.ts';

/** Bound against endless lists. Real lists have fewer pages. */
const MAX_PAGES = 100;

const CURSOR_IN_RESULT = ['result', 'nextCursor'];

/**
 * Reads the pages of a list with the cursor of the page before. The list ends if the cursor is
 * absent, null or empty, or if it repeats: a repeated cursor would loop.
 */
export async function* readPages<P>(
  read: (cursor: string | undefined) => Promise<P>,
  nextCursorOf: (page: P) => unknown,
  maxPages = MAX_PAGES,
): AsyncGenerator<P, void, void> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let count = 0; count < maxPages; count++) {
    const page = await read(cursor);
    yield page;
    const next = nextCursorOf(page);
    if (typeof next !== 'string' || next === '' || seen.has(next)) return;
    seen.add(next);
    cursor = next;
  }
}

/**
 * Removes a `nextCursor` that is null or empty. Both mean the end, but many clients reject null and
 * read the first page again for an empty one.
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
