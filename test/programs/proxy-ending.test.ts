import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it } from 'vitest';
import {
  CALLS_END_MS,
  EXIT_TIMEOUT_MS,
  OUTPUT_ENDS_MS,
  STOPPING_ENDS_MS,
} from '../../src/programs/main.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { proxyCommand, proxyTo } from '../fixtures/proxied-runtime.ts';
import { type Line, ProxyProcess, RUNTIME_ARN, startProxy } from '../fixtures/proxy-process.ts';
import { endWithTest, within } from '../fixtures/running.ts';
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

/**
 * Milliseconds by which a machine at load 30 may be late. The exact times are those of the
 * constants.
 */
const MAX_DELAY_MS = 15_000;

it('open calls have 1.5 s, and the shutdown ends within 3.5 s', () => {
  expect(CALLS_END_MS).toBe(1_500);
  expect(STOPPING_ENDS_MS).toBeLessThan(EXIT_TIMEOUT_MS);
  expect(EXIT_TIMEOUT_MS + OUTPUT_ENDS_MS).toBeLessThanOrEqual(3_500);
});

describe('the end of input', () => {
  it('lets open calls finish, stops the session, and exits with code 0', async () => {
    let call: Seen | undefined;
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) call = seen;
      return isCall(seen);
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'slow' });
    await upstream.saw('the call', isCall);
    proxy.child.stdin?.end();
    setImmediate(() => result(call as Seen, { done: true }));
    expect((await proxy.answerTo(id)).result).toEqual({ done: true });
    expect(await proxy.exited).toEqual({ code: 0, signal: null });
    const stop = upstream.seen.find(isStop) as Seen;
    expect(stop.headers['x-amzn-bedrock-agentcore-runtime-session-id']).toBe(
      call?.headers['x-amzn-bedrock-agentcore-runtime-session-id'],
    );
    expect(proxy.stderr).toBe('');
  });

  it('delivers messages that were sent right before it', async () => {
    const upstream = await startUpstream();
    const proxy = startProxy(upstream.url);
    await proxy.request('initialize', { protocolVersion: '2025-11-25' });
    for (let progress = 0; progress < 5; progress++) {
      const params = { progressToken: 1, progress };
      proxy.send({ jsonrpc: '2.0', method: 'notifications/progress', params });
    }
    await proxy.close();
    const told = upstream.seen.filter(
      ({ message }) => message?.method === 'notifications/progress',
    );
    expect(told).toHaveLength(5);
  });

  it('does not stop a session that never started', async () => {
    const upstream = await startUpstream();
    const proxy = startProxy(upstream.url);
    expect((await proxy.close()).code).toBe(0);
    expect(upstream.seen).toEqual([]);
  });

  it('ends calls that wait for the client, and long streams, at once', async () => {
    const upstream = await startUpstream((seen) => {
      const { method } = seen.message ?? {};
      if (method === 'subscriptions/listen')
        stream(seen)({ jsonrpc: '2.0', method: 'notifications/x' });
      else if (isCall(seen))
        stream(seen)({ jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: {} });
      else return false;
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const call = proxy.begin('tools/call', { name: 'ask' });
    const listen = proxy.begin('subscriptions/listen', {
      _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' },
    });
    await proxy.next('the question', (line) => line.method === 'elicitation/create');
    await proxy.next('the stream', (line) => line.method === 'notifications/x');
    await proxy.close();
    for (const id of [call, listen]) {
      expect((await proxy.answerTo(id)).error.data.reason).toBe('shutdown');
    }
  });

  it('returns an error for an unanswered call after 1.5 s, and exits within 3.5 s', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) || isStop(seen));
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'hangs' });
    await upstream.saw('the call', isCall);
    const closedAt = performance.now();
    // The stop gets no answer either.
    const exited = proxy.close();
    await upstream.saw('the stop', isStop);
    const stopAfter = performance.now() - closedAt;
    const exit = await exited;
    const exitAfter = performance.now() - closedAt;
    expect(exit).toEqual({ code: 0, signal: null });
    expect(stopAfter).toBeGreaterThan(1_400);
    expect(stopAfter).toBeLessThan(1_500 + MAX_DELAY_MS);
    expect(exitAfter).toBeLessThan(3_500 + MAX_DELAY_MS);
    const { error } = await proxy.answerTo(id);
    expect(error.message).toMatch(/ended before the answer came.*unknown/);
    expect(upstream.seen.some(isStop)).toBe(true);
  });
});

// Windows has no signals: it kills the process directly.
describe.runIf(process.platform !== 'win32')('a signal', () => {
  it('ends open calls at once, and stops the session', async () => {
    const upstream = await startUpstream(isCall);
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'hangs' });
    await upstream.saw('the call', isCall);
    proxy.child.kill('SIGTERM');
    await upstream.saw('the stop', isStop);
    expect((await proxy.answerTo(id)).error.data.reason).toBe('shutdown');
    expect(await proxy.exited).toEqual({ code: 0, signal: null });
  });

  it('skips all waiting except the stop request if it is the second', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) || isStop(seen));
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.begin('tools/call', { name: 'hangs' });
    await upstream.saw('the call', isCall);
    // The client does not read the remaining output.
    proxy.child.stdout?.pause();
    proxy.child.kill('SIGTERM');
    const stop = await upstream.saw('the stop', isStop);
    proxy.child.kill('SIGTERM');
    json(stop.response, {});
    expect(await proxy.exited.then(() => proxy.child.exitCode)).toBe(0);
  });
});

/** Appends the URL of each module that a program loads to the file `LOADED_MODULES`. */
const LOG_MODULES = `data:text/javascript,${encodeURIComponent(`
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({
    load(url, context, next) {
      appendFileSync(process.env.LOADED_MODULES, url + '\\n');
      return next(url, context);
    },
  });
`)}`;

it('loads no module to stop a session', async () => {
  const local = await start({ server: statefulMcp() });
  const loaded = join(await temporaryFolder(), 'loaded-modules');
  await writeFile(loaded, '');
  const proxy = proxyTo(local, {
    NODE_OPTIONS: `--import=${LOG_MODULES}`,
    LOADED_MODULES: loaded,
  });
  await proxy.initialize();
  proxy.begin('tools/call', { name: 'hang' });
  await local.until(() => local.requests.some(({ tool }) => tool === 'hang'), 'the call');
  const before = await readFile(loaded, 'utf8');
  expect(before).toContain('/dist/proxy.js');
  await proxy.close();
  expect(local.requests.filter(({ operation }) => operation === 'stop')).toMatchObject([
    { status: 200 },
  ]);
  expect((await readFile(loaded, 'utf8')).slice(before.length)).toBe('');
});

describe('the official SDK client', () => {
  it('leaves no microVM if it closes with an open call', async () => {
    const local = await start({ server: statefulMcp() });
    const transport = new StdioClientTransport(proxyCommand(local));
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    const call = client.callTool({ name: 'hang' }).catch((thrown) => thrown);
    await local.until(() => local.requests.some(({ tool }) => tool === 'hang'), 'the call');
    await client.close();
    await call;
    await local.until(
      () =>
        local.microVms.length > 0 && local.microVms.every(({ endedAt }) => endedAt !== undefined),
      'the end of every microVM',
    );
  });
});

describe('the shutdown is the same', () => {
  // Windows has no signals: it kills the process directly.
  it.runIf(process.platform !== 'win32').each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])(
    'on %s',
    async (signal) => {
      const upstream = await startUpstream();
      const proxy = startProxy(upstream.url);
      await proxy.initialize();
      await upstream.sawMethod('notifications/initialized');
      proxy.child.kill(signal);
      expect(await proxy.exited).toEqual({ code: 0, signal: null });
      expect(upstream.seen.some(isStop)).toBe(true);
    },
  );

  it('if the client closes stdout', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) && result(seen, {}));
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.child.stdout?.destroy();
    proxy.begin('tools/call', { name: 'into the void' });
    proxy.begin('tools/call', { name: 'into the void' });
    await upstream.saw('the stop', isStop);
    await within(MAX_WAIT_MS, 'the exit', once(proxy.child, 'exit'));
    expect(proxy.child.exitCode).toBe(0);
  });

  it('if the parent dies while another process keeps the pipes open', async () => {
    const upstream = await startUpstream();
    // A process replaces the client. It writes the first line and then keeps the pipe open.
    const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} };
    const holder = spawn(
      process.execPath,
      [
        '-e',
        'console.log(process.argv[1]); setInterval(() => {}, 1000)',
        JSON.stringify(initialize),
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    endWithTest(holder, () => holder.kill('SIGKILL'));
    const parent = spawn(
      process.execPath,
      [
        '-e',
        'require("node:child_process").spawn(process.execPath, ["dist/proxy.js"], { stdio: "inherit" }); setInterval(() => {}, 1000);',
      ],
      {
        stdio: [holder.stdout, 'pipe', 'ignore'],
        env: {
          ...process.env,
          AGENTCORE_AGENT_ARN: RUNTIME_ARN,
          AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
          AWS_SECRET_ACCESS_KEY: 'secret',
          AWS_ENDPOINT_URL: upstream.url,
        },
      },
    );
    endWithTest(parent, () => parent.kill('SIGKILL'));
    const stdout = parent.stdout as Readable;
    await once(stdout, 'data');
    parent.kill('SIGKILL');
    await upstream.saw('the stop', isStop);
    // stdout closes when the proxy, its last holder, has exited.
    await within(MAX_WAIT_MS, 'the end of the proxy', once(stdout, 'close'));
    expect(holder.exitCode).toBeNull();
  });
});

describe('a client that reads slowly', () => {
  it('slows down the upstream, and the proxy does not buffer unread data', async () => {
    const MESSAGES = 400;
    let written = 0;
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      const send = stream(seen);
      const params = { level: 'info', data: 'x'.repeat(100_000) };
      const more = () => {
        while (written < MESSAGES && !seen.response.destroyed) {
          written++;
          send({ jsonrpc: '2.0', method: 'notifications/message', params });
          if (seen.response.writableNeedDrain) return seen.response.once('drain', more);
        }
        send({ jsonrpc: '2.0', id: seen.message.id, result: {} });
        return seen.response.end();
      };
      more();
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    proxy.child.stdout?.pause();
    const id = proxy.begin('tools/call', { name: 'flood' });
    const call = await upstream.saw('the call', isCall);
    // The stream is blocked if nothing more is read for one second.
    await standsStill(() => written);
    expect(written).toBeLessThan(MESSAGES / 2);
    proxy.child.stdout?.resume();
    await proxy.answerTo(id);
    expect(written).toBe(MESSAGES);
    await call.closed;
    expect(
      proxy.lines.filter(({ method }: Line) => method === 'notifications/message'),
    ).toHaveLength(MESSAGES);
  });
});

/** Resolves when a number is stable: the same in 20 reads, 50 ms apart. */
async function standsStill(look: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    same = look() === last ? same + 1 : 0;
    last = look();
  }
}

describe('a wrong setting', () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ['no ARN', { AGENTCORE_AGENT_ARN: '' }, /AGENTCORE_AGENT_ARN is not set/],
    [
      'a text that is not an ARN',
      { AGENTCORE_AGENT_ARN: 'my-runtime' },
      /does not begin with "arn:"/,
    ],
    [
      'an ARN of another service',
      { AGENTCORE_AGENT_ARN: 'arn:aws:lambda:us-east-1:123456789012:function:x' },
      /service is "lambda"/,
    ],
    [
      'an unknown mode',
      { RUNTIME_SESSION_MODE: 'sticky' },
      /RUNTIME_SESSION_MODE is "sticky".*session, identity, request/,
    ],
    ['an invalid number', { AGENTCORE_READ_TIMEOUT: '5m' }, /AGENTCORE_READ_TIMEOUT is "5m"/],
    ['a number out of range', { AGENTCORE_CONNECT_TIMEOUT: '-1' }, /AGENTCORE_CONNECT_TIMEOUT/],
    [
      'an endpoint that is not a URL',
      { AWS_ENDPOINT_URL: 'localhost' },
      /endpoint is not an http or https URL/,
    ],
    ['a missing certificate file', { AWS_CA_BUNDLE: '/no/such/file' }, /AWS_CA_BUNDLE/],
    [
      'a relative policy path',
      { AGENTCORE_POLICY: 'x.yaml' },
      /AGENTCORE_POLICY names "x.yaml", expected absolute paths/,
    ],
  ])('%s: exit code 2 and one error message', async (_, env, sentence) => {
    const proxy = startProxy('http://127.0.0.1:1', env);
    expect(await proxy.exited).toEqual({ code: 2, signal: null });
    expect(proxy.stderr).toMatch(sentence);
    expect(proxy.stderr.trim().split('\n')).toHaveLength(1);
    expect(proxy.lines).toEqual([]);
  });

  it('uses AGENT_ARN if AGENTCORE_AGENT_ARN is not set', async () => {
    const upstream = await startUpstream();
    const proxy = new ProxyProcess({
      AGENT_ARN: RUNTIME_ARN,
      AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_ENDPOINT_URL_BEDROCK_AGENTCORE: upstream.url,
    });
    endWithTest(proxy, () => proxy.kill());
    await proxy.initialize();
    expect(upstream.seen[0]?.path).toContain(encodeURIComponent(RUNTIME_ARN));
  });
});
