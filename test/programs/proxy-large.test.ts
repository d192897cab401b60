import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startProxy } from '../fixtures/proxy-process.ts';
import { isCall, type Seen, startUpstream, stream } from '../fixtures/scripted-upstream.ts';

const SIZE = 20_000_000;
const MEGABYTE = 1024 * 1024;

/** The peak memory of a process in bytes. Available on Linux only. */
async function peakMemory(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

describe('a result of 20 MB', () => {
  it.each<[string, (seen: Seen) => void]>([
    [
      'as JSON',
      (seen) => {
        const text = 'x'.repeat(SIZE);
        seen.response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: seen.message.id, result: { text } }));
      },
    ],
    [
      'as an event',
      (seen) => {
        stream(seen)({ jsonrpc: '2.0', id: seen.message.id, result: { text: 'x'.repeat(SIZE) } });
        seen.response.end();
      },
    ],
  ])('is forwarded %s, with a few copies in memory at most', async (_, send) => {
    const upstream = await startUpstream(
      (seen) => isCall(seen) && (send(seen) as undefined) === undefined,
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const { result } = await proxy.call('large');
    expect(result.text).toHaveLength(SIZE);
    if (process.platform !== 'linux') return;
    expect(await peakMemory(proxy.child.pid)).toBeLessThan(70 * MEGABYTE + 10 * SIZE);
  });

  it('can be an argument as well', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      const { length } = seen.message.params.arguments.text;
      seen.response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: seen.message.id, result: { length } }));
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('large', { text: 'é'.repeat(SIZE / 2) })).result.length).toBe(
      SIZE / 2,
    );
  });
});
