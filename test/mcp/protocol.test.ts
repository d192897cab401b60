import { expect, it } from 'vitest';
import {
  createRequest,
  createRequestId,
  type JsonRpcResponse,
  parseMessages,
} from '../../src/mcp/message.ts';
import { readPages, withoutEmptyCursor } from '../../src/mcp/protocol.ts';

/** The cursors that a client sends to read pages with these next cursors. The last one repeats. */
async function readWith(cursors: readonly unknown[], maxPages?: number): Promise<unknown[]> {
  const asked: unknown[] = [];
  const read = async (cursor: string | undefined) => {
    asked.push(cursor);
    return cursors[Math.min(asked.length, cursors.length) - 1];
  };
  for await (const _ of readPages(read, (page) => page, maxPages));
  return asked;
}

it.each([[undefined], [null], [''], [5]])('ends a list at the cursor %j', async (cursor) => {
  expect(await readWith(['a', cursor])).toEqual([undefined, 'a']);
});

it('ends a list at a repeated cursor', async () => {
  expect(await readWith(['a'])).toEqual([undefined, 'a']);
  expect(await readWith(['a', 'b', 'a'])).toEqual([undefined, 'a', 'b']);
});

it('ends a list with more pages than the bound', async () => {
  expect(await readWith(['a', 'b', 'c', 'd'], 3)).toEqual([undefined, 'a', 'b']);
  const endless = Array.from({ length: 1_000 }, (_, index) => String(index));
  expect(await readWith(endless)).toHaveLength(100);
});

it.each([
  ['tools/list', '{"tools":[],"nextCursor":null}', '{"tools":[]}'],
  ['resources/list', '{ "nextCursor" : "" , "resources":[]}', '{  "resources":[]}'],
  ['tools/list', '{"tools":[],"nextCursor":"1"}', '{"tools":[],"nextCursor":"1"}'],
  ['tools/list', '{"tools":[{"nextCursor":null}]}', '{"tools":[{"nextCursor":null}]}'],
  ['tools/call', '{"nextCursor":null}', '{"nextCursor":null}'],
])('removes a final cursor from %s: %s', (method, given, right) => {
  const text = `{"jsonrpc":"2.0","id":1,"result":${given}}`;
  const [response] = parseMessages(Buffer.from(text), 'server');
  const list = withoutEmptyCursor(
    createRequest(createRequestId(1), method),
    response as JsonRpcResponse,
  );
  expect(list.bytes.toString()).toBe(text.replace(given, right));
});
