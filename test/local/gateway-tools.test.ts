import { expect, test } from 'vitest';
import type { TargetLinks } from '../../src/local/services/gateway-targets.ts';
import { listTools } from '../../src/local/services/gateway-targets.ts';

/**
 * Lists a target whose pages have these cursors. The last one repeats. Returns the requested
 * cursors.
 */
async function listWith(cursors: readonly unknown[]): Promise<unknown[]> {
  const asked: unknown[] = [];
  const request = async (_method: string, params: { readonly cursor?: string }) => {
    asked.push(params.cursor);
    const nextCursor = cursors[Math.min(asked.length, cursors.length) - 1];
    return { ok: true, answer: { result: { tools: [{ name: 'a' }], nextCursor } } };
  };
  const links = new Map([['target', { request }]]) as unknown as TargetLinks;
  const answer = await listTools(links);
  expect(answer).toEqual({ result: { tools: asked.map(() => ({ name: 'target___a' })) } });
  return asked;
}

test.each([[undefined], [null], ['']])('a tool list ends at the cursor %j', async (cursor) => {
  expect(await listWith(['1', cursor])).toEqual([undefined, '1']);
});

test('a tool list ends at a repeated cursor, and at a bound', async () => {
  expect(await listWith(['1'])).toEqual([undefined, '1']);
  expect(await listWith(['1', '2', '1'])).toEqual([undefined, '1', '2']);
  const endless = Array.from({ length: 1_000 }, (_, index) => String(index));
  expect(await listWith(endless)).toHaveLength(100);
});
