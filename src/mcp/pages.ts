import { spanAt, withoutMember } from './json-spans.ts';
import type { Request, Response } from './message.ts';

/** More pages than any list of sense has. */
const MAX_PAGES = 100;

/** Where a list result says where it goes on. */
const CURSOR_IN_RESULT = ['result', 'nextCursor'];

/**
 * The pages of a list, each read with the cursor of the one before. Null and an empty text end the
 * list like no cursor at all, and so does one that was there before: it would lead in a circle.
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
 * A list without a `nextCursor` that is null or empty. Both end it, but many clients refuse the one
 * and read the first page for ever with the other.
 */
export function withoutEmptyCursor(request: Request, response: Response): Response {
  if (!request.method.endsWith('/list') || response.error) return response;
  if (!response.bytes.includes('"nextCursor"')) return response;
  const span = spanAt(response.bytes, CURSOR_IN_RESULT);
  const token = span && response.bytes.toString('utf8', span.start, span.end);
  if (token !== 'null' && token !== '""') return response;
  return { ...response, bytes: withoutMember(response.bytes, CURSOR_IN_RESULT) };
}
