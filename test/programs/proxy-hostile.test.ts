import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { proxyTo } from '../fixtures/proxied-runtime.ts';
import { startProxy } from '../fixtures/proxy-process.ts';
import { within } from '../fixtures/running.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';
import { temporaryFolder } from '../fixtures/tls.ts';
import { start, statefulMcp } from '../local/harness.ts';

const isStop = ({ path }: Seen) => path.endsWith('/stopruntimesession');
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

function cancelled(requestId: unknown) {
  return { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } };
}

describe('a misbehaving server', () => {
  it('that switches protocols leaves no call unanswered', async () => {
    const upstream = await startUpstream(
      (seen) =>
        isCall(seen) &&
        seen.response.socket?.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
        ),
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('a')).error.message).toMatch(/ended without an answer/);
  });

  it('that repeats the signed request cannot send the session token to the client', async () => {
    const token = 'IQoJb3JpZ2luX2VjTOKEN';
    const message = `The request signature does not match.\n\nThe Canonical String was 'POST\nx-amz-security-token:${token}'`;
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      seen.response.setHeader('x-amzn-errortype', 'InvalidSignatureException');
      json(seen.response, { message }, 403);
      return true;
    });
    const proxy = startProxy(upstream.url, { AWS_SESSION_TOKEN: token });
    await proxy.initialize();
    const { error } = await proxy.call('a');
    expect(error.message).toContain('does not match');
    expect(JSON.stringify(error)).not.toContain(token);
  });

  it('that never finishes to acknowledge a notification delays nothing', async () => {
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) return result(seen, {}) ?? true;
      if (seen.message?.method !== 'notifications/initialized') return false;
      stream(seen)({ jsonrpc: '2.0', method: 'notifications/x' });
      return true;
    });
    const proxy = startProxy(upstream.url, { AGENTCORE_READ_TIMEOUT: '600' });
    await proxy.initialize();
    await within(MAX_WAIT_MS, 'the answer', proxy.call('a'));
  });

  it('that cancels an answered request cancels no other request', async () => {
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        call = seen;
        const send = stream(seen);
        for (const id of [0, 1]) send({ jsonrpc: '2.0', id, method: 'ask', params: { id } });
        return true;
      }
      if (!seen.message || !('result' in seen.message)) return false;
      call?.response.write(`data: ${JSON.stringify(cancelled(seen.message.id))}\n\n`);
      call?.response.end(
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: call.message.id, result: {} })}\n\n`,
      );
      return false;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    const second = await proxy.next('the second', (line) => line.params?.id === 1);
    proxy.send({ jsonrpc: '2.0', id: second.id, result: {} });
    await proxy.answerTo(id);
    expect(proxy.lines.filter(({ method }) => method === 'notifications/cancelled')).toEqual([]);
  });

  it('that sends endless requests gets errors from the 101st on, and its exit is detected', async () => {
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        const send = stream(seen);
        for (let id = 0; id <= 100; id++) send({ jsonrpc: '2.0', id, method: 'ask', params: {} });
        return true;
      }
      return false;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    const refused = await upstream.saw('the refusal', ({ message }) => message?.error);
    expect(refused.message.id).toBe(100);
    upstream.seen.find((seen) => isCall(seen))?.response.destroy();
    expect((await proxy.answerTo(id)).error.data.reason).toBe('connection');
    const isTakenBack = ({ method }: { method: string }) => method === 'notifications/cancelled';
    await proxy.next('the last taken back', () => proxy.lines.filter(isTakenBack).length === 100);
  });

  it('with an extremely nested schema still has its tools listed', async () => {
    const depth = 20_000;
    const inputSchema = `${'{"properties":{"a":'.repeat(depth)}{}${'}}'.repeat(depth)}`;
    const upstream = await startUpstream(({ response }) => {
      const tools = `[{"name":"deep","inputSchema":${inputSchema}}]`;
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`{"jsonrpc":"2.0","id":1,"result":{"tools":${tools}}}`);
      return true;
    });
    const proxy = startProxy(upstream.url);
    expect((await proxy.request('tools/list', { _meta: META })).result.tools).toHaveLength(1);
  });
});

describe('a misbehaving client', () => {
  it.each<[string, (id: number) => string]>([
    ['both a result and an error', (id) => `{"jsonrpc":"2.0","id":${id},"result":{},"error":{}}`],
    ['a duplicate key', (id) => `{"jsonrpc":"2.0","id":${id},"result":{"a":1,"a":2}}`],
    ['no version', (id) => `{"id":${id},"result":{}}`],
    ['an error that is not an object', (id) => `{"jsonrpc":"2.0","id":${id},"error":"no"}`],
  ])(
    'that answers a server request with %s fails that request, not the call',
    async (_, answer) => {
      const upstream = await startUpstream((seen) => {
        if (isCall(seen)) {
          stream(seen)({ jsonrpc: '2.0', id: 9, method: 'ask', params: {} });
          return true;
        }
        if (!seen.message?.error) return false;
        const call = upstream.seen.find((other) => isCall(other)) as Seen;
        const { error } = seen.message;
        const text = JSON.stringify({ jsonrpc: '2.0', id: call.message.id, result: { error } });
        call.response.end(`data: ${text}\n\n`);
        return false;
      });
      const proxy = startProxy(upstream.url);
      await proxy.initialize();
      const id = proxy.begin('tools/call', { name: 'ask' });
      const asked = await proxy.next('the question', (line) => line.method === 'ask');
      proxy.write(`${answer(asked.id)}\n`);
      expect((await proxy.answerTo(id)).result.error.message).toMatch(/was no response/);
    },
  );

  it('that sends values that no header can carry causes no delay', async () => {
    const upstream = await startUpstream((seen) => seen.message?.id && (result(seen, {}) ?? true));
    const proxy = startProxy(upstream.url);
    const odd = ['a\r\nb', 'tööl', 'Ā', ' '];
    for (const method of odd) {
      const id = proxy.begin(method, { _meta: META });
      expect((await proxy.answerTo(id)).result).toEqual({});
    }
    expect(upstream.seen[0]?.headers['mcp-method']).toBe('=?base64?YQ0KYg==?=');
  });

  it('that closes stderr does not end the proxy', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) && (result(seen, {}) ?? true));
    const proxy = startProxy(upstream.url, { LOG_LEVEL: 'debug' });
    await proxy.initialize();
    proxy.child.stderr?.destroy();
    proxy.send(cancelled('nothing'));
    expect((await proxy.call('a')).result).toEqual({});
    expect((await proxy.close()).code).toBe(0);
    expect(upstream.seen.some(isStop)).toBe(true);
  });

  it('that stops reading is awaited for a bounded time, and the session is stopped', async () => {
    const upstream = await startUpstream(
      (seen) => isCall(seen) && (result(seen, { text: 'x'.repeat(2_000_000) }) ?? true),
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.child.stdout?.pause();
    proxy.begin('tools/call', { name: 'large' });
    await upstream.saw('the call', isCall);
    const exit = new Promise((resolve) => proxy.child.once('exit', resolve));
    proxy.child.stdin?.end();
    expect(await within(MAX_WAIT_MS, 'the exit', exit)).toBe(0);
    expect(upstream.seen.some(isStop)).toBe(true);
    proxy.child.stdout?.resume();
  });

  it('that exits after a cancellation that the server ignores does not keep the session alive', async () => {
    const upstream = await startUpstream(
      (seen) => isCall(seen) || seen.message?.method === 'notifications/cancelled',
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'hangs' });
    await upstream.saw('the call', isCall);
    proxy.send(cancelled(id));
    await upstream.sawMethod('notifications/cancelled');
    await within(MAX_WAIT_MS, 'the exit', proxy.close());
    expect(upstream.seen.some(isStop)).toBe(true);
  });

  it('that cancels during a credential lookup has nothing sent', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) && (result(seen, {}) ?? true));
    const folder = await temporaryFolder();
    // Credentials are returned when the test allows it.
    const script = `const fs = require('node:fs'); const wait = setInterval(() => { if (!fs.existsSync(${JSON.stringify(join(folder, 'go'))})) return; clearInterval(wait); console.log(JSON.stringify({ Version: 1, AccessKeyId: 'AKIDEXAMPLE', SecretAccessKey: 'secret' })); }, 20);`;
    await writeFile(join(folder, 'keys.cjs'), script);
    const command = `"${process.execPath}" "${join(folder, 'keys.cjs')}"`;
    await writeFile(join(folder, 'config'), `[profile slow]\ncredential_process = ${command}\n`);
    const proxy = startProxy(upstream.url, {
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_PROFILE: 'slow',
      AWS_CONFIG_FILE: join(folder, 'config'),
    });
    const id = proxy.begin('tools/call', { name: 'never' });
    proxy.send(cancelled(id));
    const kept = proxy.begin('tools/call', { name: 'kept' });
    await writeFile(join(folder, 'go'), '');
    await proxy.answerTo(kept);
    expect(upstream.seen.map(({ message }) => message?.params?.name)).toEqual(['kept']);
  });

  it('that initializes twice leaves no microVM behind', async () => {
    const local = await start(
      { server: statefulMcp() },
      { switches: { stopBy: 'mcp-session-id' } },
    );
    const proxy = proxyTo(local);
    await proxy.initialize();
    await proxy.initialize();
    await proxy.call('count');
    await proxy.close();
    expect(local.sessions()).toHaveLength(2);
    expect(local.sessions().every(({ state }) => state === 'Stopped')).toBe(true);
  });

  it('with an invalid proxy URL gets an error', async () => {
    const proxy = startProxy('http://127.0.0.1:1', { HTTP_PROXY: '::bad', NO_PROXY: '' });
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toMatch(/HTTP_PROXY.*not a URL/);
  });
});
