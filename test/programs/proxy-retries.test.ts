import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/local/config/faults.ts';
import type { SwitchesInput } from '../../src/local/config/switches.ts';
import { delivered, forgetfulRuntime, startProxied, textOf } from '../fixtures/proxied-runtime.ts';
import { type Line, type ProxyProcess, startProxy } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';
import { temporaryFolder } from '../fixtures/tls.ts';
import { start } from '../local/harness.ts';

const outcomeOf = ({ result, error }: Line) => (result ? 'result' : error.data?.outcome);

/** A local runtime whose tools the client has listed. */
async function listed(switches: SwitchesInput = {}, env: Record<string, string> = {}) {
  const { local, proxy } = await startProxied({ switches, env });
  await proxy.initialize();
  await proxy.request('tools/list');
  return { local, proxy };
}

describe('a call with a single failure', () => {
  // The outcome and the number of runs, of a tool that may do anything and of a read-only tool.
  const ONCE = ['result', 1] as const;
  const UNKNOWN = ['unknown', 1] as const;
  it.each<[string, Fault, readonly [string, number], readonly [string, number]]>([
    ['throttled', { kind: 'throttle' }, ONCE, ONCE],
    ['conflict', { kind: 'platform-error', error: 'retryable-conflict' }, ONCE, ONCE],
    ['reset before', { kind: 'reset', phase: 'before' }, ['unknown', 0], ONCE],
    ['reset after', { kind: 'reset', phase: 'after' }, UNKNOWN, ['result', 2]],
    ['503 after', { kind: 'status', status: 503, phase: 'after' }, UNKNOWN, ['result', 2]],
    [
      'container failed after',
      { kind: 'platform-error', error: 'container-failed', phase: 'after' },
      UNKNOWN,
      ['result', 2],
    ],
    [
      'internal error after',
      { kind: 'platform-error', error: 'internal', phase: 'after' },
      UNKNOWN,
      ['result', 2],
    ],
    [
      '-32003 in the server’s own words',
      { kind: 'json-rpc-error', code: -32003, message: 'Out of stock', phase: 'after' },
      [undefined as never, 1],
      // A throttling message with other text: a read-only call is sent again.
      ['result', 2],
    ],
  ])('%s: never repeats a call that may not run twice', async (_, fault, anyTool, readOnlyTool) => {
    const { local, proxy } = await listed();
    local.faults.inject({ ...fault, tool: 'count' });
    local.faults.inject({ ...fault, tool: 'look' });
    const [any, read] = await Promise.all([proxy.call('count'), proxy.call('look')]);
    expect({
      any: [outcomeOf(any), delivered(local, 'tools/call', 'count')],
      read: [outcomeOf(read), delivered(local, 'tools/call', 'look')],
    }).toEqual({ any: anyTool, read: readOnlyTool });
    expect(proxy.lines.filter(({ id }) => id === any.id)).toHaveLength(1);
  });

  it.each<[string, SwitchesInput]>([
    ['JSON-RPC errors', { mcpErrors: 'json-rpc' }],
    ['plain statuses', { mcpErrors: 'status' }],
  ])('waits for the time in Retry-After, also if errors are %s', async (_, switches) => {
    const { local, proxy } = await listed(switches);
    local.faults.inject({ kind: 'throttle', tool: 'count', retryAfter: 1 });
    expect(await textOf(proxy.call('count'))).toBe('1');
    const times = local.requests.filter(({ tool }) => tool === 'count').map(({ at }) => at);
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(990);
  });

  it('is not sent again after a message on its stream', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      const send = stream(seen);
      const params = { level: 'info', data: 'at work' };
      send({ jsonrpc: '2.0', method: 'notifications/message', params });
      const error = { code: -32003, message: 'Rate limit exceeded - Too many requests' };
      send({ jsonrpc: '2.0', id: seen.message.id, error });
      return seen.response.end();
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.call('x')).error.code).toBe(-32003);
    expect(upstream.seen.filter((seen) => isCall(seen))).toHaveLength(1);
  });

  it('is sent as soon as the server listens', async () => {
    const calls: unknown[] = [];
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => {
        const { id, method } = JSON.parse(chunk.toString());
        calls.push(method);
        json(response, { jsonrpc: '2.0', id, result: {} });
      });
    });
    endWithTest(server, () => {
      server.closeAllConnections();
      server.close();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const proxy = startProxy(`http://127.0.0.1:${port}`, { LOG_LEVEL: 'debug' });
    const id = proxy.begin('tools/call', { name: 'any' });
    await expect.poll(() => proxy.stderr).toMatch(/Sending tools\/call again/);
    server.listen(port, '127.0.0.1');
    expect((await proxy.answerTo(id)).result).toEqual({});
    expect(calls.filter((method) => method === 'tools/call')).toHaveLength(1);
  });

  it('that the client cancels meanwhile is not sent again, and gets no answer', async () => {
    const { local, proxy } = await listed();
    local.faults.inject({ kind: 'throttle', tool: 'count', times: 'always', retryAfter: 0 });
    const id = proxy.begin('tools/call', { name: 'count' });
    const seen = () => local.requests.filter(({ tool }) => tool === 'count').length;
    await local.until(() => seen() >= 2, 'a second attempt');
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    expect(await textOf(proxy.call('look'))).toBe('1');
    local.faults.clear();
    expect(await textOf(proxy.call('look'))).toBe('2');
    expect(delivered(local, 'tools/call', 'count')).toBe(0);
    expect(proxy.lines.filter((line) => line.id === id)).toEqual([]);
  });
});

describe('a tool list', () => {
  it.each<[string, Fault]>([
    ['is throttled', { kind: 'throttle' }],
    ['fails', { kind: 'status', status: 500 }],
    ['returns an empty body', { kind: 'empty' }],
    ['returns broken JSON', { kind: 'broken-json' }],
  ])('that permanently %s is an error, never an empty list', async (_, fault) => {
    const { local, proxy } = await startProxied({
      env: { AGENTCORE_READ_TIMEOUT: '10', AGENTCORE_RETRIES: '1' },
    });
    await proxy.initialize();
    local.faults.inject({ ...fault, method: 'tools/list', times: 'always' });
    const answer = await proxy.request('tools/list');
    expect(answer.result).toBeUndefined();
    expect(answer.error.message).toEqual(expect.any(String));
    local.faults.clear();
    expect((await proxy.request('tools/list')).result.tools).not.toEqual([]);
  });
});

const KEYS = (['OLD', 'NEW'] as const).map((age) => ({
  AccessKeyId: `AKIA${age}0123456789012`,
  SecretAccessKey: `secret-of-${age}`,
}));

/** A profile whose process returns the old keys once and then the new ones. */
async function startRenewing(endpoint: string, env: Record<string, string>): Promise<ProxyProcess> {
  const folder = await temporaryFolder();
  const [old, renewed] = KEYS.map((key) => JSON.stringify({ Version: 1, ...key }));
  const program = `
    import { existsSync, writeFileSync } from 'node:fs';
    const isFirst = !existsSync(${JSON.stringify(join(folder, 'asked'))});
    writeFileSync(${JSON.stringify(join(folder, 'asked'))}, '');
    console.log(isFirst ? ${JSON.stringify(old)} : ${JSON.stringify(renewed)});`;
  await writeFile(join(folder, 'keys.mjs'), program);
  const command = `"${process.execPath}" "${join(folder, 'keys.mjs')}"`;
  await writeFile(join(folder, 'config'), `[profile work]\ncredential_process = ${command}\n`);
  return startProxy(endpoint, {
    AWS_ACCESS_KEY_ID: '',
    AWS_SECRET_ACCESS_KEY: '',
    AWS_PROFILE: 'work',
    AWS_CONFIG_FILE: join(folder, 'config'),
    ...env,
  });
}

const isOld = ({ headers }: Seen) => headers.authorization?.includes('AKIAOLD') ?? false;

function refuseAsExpired({ response }: Seen): true {
  response.setHeader('x-amzn-errortype', 'ExpiredTokenException');
  json(response, { message: 'The security token included in the request is expired' }, 403);
  return true;
}

describe('expired credentials', () => {
  it('are refreshed, and the call is sent once more', async () => {
    const upstream = await startUpstream(
      (seen) =>
        (isOld(seen) && refuseAsExpired(seen)) || (isCall(seen) && (result(seen, {}) ?? true)),
    );
    const proxy = await startRenewing(upstream.url, {});
    expect((await proxy.call('any')).result).toEqual({});
    expect(upstream.seen.map(isOld)).toEqual([true, false]);
  });

  it('are refreshed for each open call that used them', async () => {
    const calls: Seen[] = [];
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) return false;
      if (!isOld(seen)) result(seen, {});
      else if (calls.push(seen) === 3) {
        // The later calls are rejected after the first one has been repeated.
        const [first, ...others] = calls as [Seen, ...Seen[]];
        refuseAsExpired(first);
        const again = (later: Seen) => isCall(later) && !isOld(later);
        void upstream.saw('the repetition', again).then(() => others.map(refuseAsExpired));
      }
      return true;
    });
    const proxy = await startRenewing(upstream.url, {});
    const answers = await Promise.all([proxy.call('a'), proxy.call('b'), proxy.call('c')]);
    expect(answers.map(({ error }) => error?.message)).toEqual([undefined, undefined, undefined]);
  });

  it('that stay the same after a refresh cause an error after one attempt', async () => {
    const upstream = await startUpstream(refuseAsExpired);
    const proxy = startProxy(upstream.url);
    const { error } = await proxy.call('any');
    expect(error.message).toMatch(/expired.*sign in again/);
    expect(upstream.seen).toHaveLength(1);
  });

  it('that stay expired cause an error after two attempts', async () => {
    const upstream = await startUpstream(refuseAsExpired);
    const proxy = await startRenewing(upstream.url, {});
    expect((await proxy.call('any')).error.message).toMatch(/expired/);
    expect(upstream.seen).toHaveLength(2);
  });

  // An MCP runtime reports only that access is denied.
  it.each<SwitchesInput['mcpSignatureErrors']>(['status', 'access-denied', 'unauthorized'])(
    'are refreshed for each form of rejection by an MCP runtime: %s',
    async (mcpSignatureErrors) => {
      const accessKeys = KEYS.map(({ AccessKeyId, SecretAccessKey }) => ({
        id: AccessKeyId,
        secret: SecretAccessKey,
      }));
      const local = await start(
        { server: forgetfulRuntime({ recognizes: 'none', switches: { mcpSignatureErrors } }) },
        { accessKeys },
      );
      local.faults.inject({ kind: 'expired-credentials' });
      const { AWS_REGION = '' } = local.env;
      const arn = local.runtime('server').arn;
      const proxy = await startRenewing(local.url, { AWS_REGION, AGENTCORE_AGENT_ARN: arn });
      expect(await textOf(proxy.call('count'))).toBe('1');
    },
  );
});

describe('a keep-alive', () => {
  it('sends progress of a long call to the client if it is enabled', async () => {
    const { proxy } = await startProxied({ env: { AGENTCORE_KEEP_ALIVE: '0.2' } });
    await proxy.initialize();
    proxy.begin('tools/call', { name: 'hang', _meta: { progressToken: 'long' } });
    const told = await proxy.next('progress', ({ method }) => method === 'notifications/progress');
    expect(told.params).toMatchObject({ progressToken: 'long', progress: -1 });
  });

  it('is not sent unless it is enabled', async () => {
    const { local, proxy } = await startProxied();
    local.faults.inject({ kind: 'delay', ms: 600, tool: 'count' });
    await proxy.initialize();
    await proxy.call('count', {}, { progressToken: 'long' });
    expect(proxy.lines.filter(({ method }) => method === 'notifications/progress')).toEqual([]);
  });
});
