import { describe, expect, it } from 'vitest';
import { startProxy } from '../fixtures/proxy-process.ts';
import { isCall, result, startUpstream } from '../fixtures/scripted-upstream.ts';

/** A proxy in front of a server that answers every call at once. */
async function startEcho() {
  const upstream = await startUpstream(
    (seen) => isCall(seen) && result(seen, { echo: seen.message.params.arguments }),
  );
  return { upstream, proxy: startProxy(upstream.url) };
}

describe('invalid input is answered, and later input still works', () => {
  it.each([
    ['invalid JSON', 'hello', -32700],
    ['a torn object', '{"jsonrpc":"2.0","id":1,"method":', -32700],
    ['bytes that are not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), -32700],
    ['a number', '42', -32600],
    ['null', 'null', -32600],
    ['an empty batch', '[]', -32600],
    ['an object that is not a message', '{}', -32600],
    ['an id without a method', '{"jsonrpc":"2.0","id":5}', -32600],
  ])('%s', async (_, line, code) => {
    const { upstream, proxy } = await startEcho();
    proxy.write(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
    const answer = await proxy.next('the error', ({ error }) => error);
    expect(answer).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } });
    expect(answer.error.message.length).toBeGreaterThan(10);
    expect((await proxy.call('echo', { a: 1 })).result).toEqual({ echo: { a: 1 } });
    expect(upstream.seen).toHaveLength(1);
  });

  it('a duplicate key, at any depth: no part of the message is sent upstream', async () => {
    const { upstream, proxy } = await startEcho();
    proxy.write(
      '{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"read","n\\u0061me":"drop"}}\n',
    );
    const answer = await proxy.next('the error', ({ error }) => error);
    expect(answer.error.message).toContain('"name"');
    await proxy.call('echo');
    expect(upstream.seen).toHaveLength(1);
  });

  it('a batch: each of its requests and each invalid message is answered', async () => {
    const { proxy } = await startEcho();
    const call = (id: unknown) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'echo', arguments: { id } },
    });
    const note = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1 } };
    proxy.write(`${JSON.stringify([call(0), note, 42, call('b')])}\n`);
    expect((await proxy.answerTo(0)).result.echo).toEqual({ id: 0 });
    expect((await proxy.answerTo('b')).result.echo).toEqual({ id: 'b' });
    expect((await proxy.answerTo(null)).error.code).toBe(-32600);
    await proxy.close();
    expect(proxy.lines).toHaveLength(3);
  });

  it('an answer without a request is dropped', async () => {
    const { upstream, proxy } = await startEcho();
    proxy.send({ jsonrpc: '2.0', id: 77, result: {} });
    proxy.send({ jsonrpc: '2.0', id: 78, error: { code: 1, message: 'x' } });
    await proxy.call('echo');
    expect(upstream.seen).toHaveLength(1);
    expect(proxy.lines).toHaveLength(1);
  });

  it('a line beyond the bound is answered with its own id, and not buffered', async () => {
    const { upstream, proxy } = await startEcho();
    proxy.write('{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo","x":"');
    const part = Buffer.alloc(4_000_000, 0x78);
    for (let sent = 0; sent < 104_000_000; sent += part.length) {
      const isFull = proxy.child.stdin?.write(part) === false;
      if (isFull) await new Promise((resolve) => proxy.child.stdin?.once('drain', resolve));
    }
    proxy.write('"},"id":"large"}\n');
    const answer = await proxy.answerTo('large');
    expect(answer.error).toMatchObject({ code: -32600 });
    expect(answer.error.message).toContain('100000000');
    await proxy.call('echo');
    expect(upstream.seen).toHaveLength(1);
  });
});

describe('framing', () => {
  it.each(['0', '-7', '"0"', '""', '"a b"', '12345678901234567890', '1.5', '"\\u00e9\u2028"'])(
    'an id %s is returned unchanged',
    async (token) => {
      const { proxy } = await startEcho();
      const written = new Promise<string>((resolve) => proxy.child.stdout?.once('data', resolve));
      proxy.write(`{"jsonrpc":"2.0","id":${token},"method":"tools/call","params":{"name":"x"}}\n`);
      expect(await written).toContain(`"id":${token},`);
    },
  );

  it('accepts blank lines, CRLF, and lines and characters split between writes', async () => {
    const { proxy } = await startEcho();
    const text = ['\r\n', '\n', '   \n'];
    for (let id = 1; id <= 3; id++) {
      const params = { name: 'echo', arguments: { text: 'é€😀\u2028' } };
      text.push(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })}\r\n`);
    }
    const bytes = Buffer.from(text.join(''));
    for (let at = 0; at < bytes.length; at += 3) {
      await new Promise<void>((resolve) =>
        proxy.child.stdin?.write(bytes.subarray(at, at + 3), () => resolve()),
      );
    }
    for (let id = 1; id <= 3; id++) {
      expect((await proxy.answerTo(id)).result.echo).toEqual({ text: 'é€😀\u2028' });
    }
    expect(proxy.noise).toEqual([]);
  });

  it('accepts a byte order mark before the first line, and null params', async () => {
    const { proxy, upstream } = await startEcho();
    proxy.write('\ufeff{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}\n');
    expect((await proxy.answerTo(1)).result).toEqual({ tools: [] });
    proxy.write('{"jsonrpc":"2.0","method":"notifications/initialized","params":null}\n');
    const told = await upstream.sawMethod('notifications/initialized');
    expect(told.text).toBe('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    expect(upstream.seen[0]?.message).not.toHaveProperty('params');
  });

  it('handles two calls with one id as two calls', async () => {
    const { proxy } = await startEcho();
    const call = { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'echo' } };
    proxy.write(`${JSON.stringify(call)}\n${JSON.stringify(call)}\n`);
    await proxy.answerTo(5);
    await proxy.answerTo(5);
  });
});
