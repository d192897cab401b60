import { describe, expect, it } from 'vitest';
import { ACKNOWLEDGEMENT_TIMEOUT_MS } from '../../src/relay/peer.ts';
import { type ProxyProcess, startProxy } from '../fixtures/proxy-process.ts';
import { isCall, json, result, type Seen, startUpstream } from '../fixtures/scripted-upstream.ts';

const CHANGED = 'notifications/roots/list_changed';
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const asText = ({ response }: Seen) => response.writeHead(404).end('Not Found');
const asJson = ({ response }: Seen) =>
  json(response, rpcError(null, -32601, 'Method not found'), 404);

function rpcError(id: unknown, code: number, message: string): object {
  return { jsonrpc: '2.0', id, error: { code, message } };
}

/** Answers calls and lists. The fixture answers everything else. */
function serve(seen: Seen): boolean {
  if (isCall(seen)) result(seen, { content: [{ type: 'text', text: 'ok' }] });
  return isCall(seen);
}

function sent(upstream: { readonly seen: readonly Seen[] }, method: string): readonly Seen[] {
  return upstream.seen.filter(({ message }) => message?.method === method);
}

/** Two calls in a row: the proxy knows the refusals before the first one when it sends the second. */
async function callTwice(proxy: ProxyProcess): Promise<void> {
  for (const name of ['first', 'second']) expect((await proxy.call(name)).error).toBeUndefined();
}

describe('a notification that is answered with 404', () => {
  it.each([
    ['in words', asText],
    ['as JSON-RPC', asJson],
  ])(
    'does not affect the session if the server answers all notifications so, %s',
    async (_, refuse) => {
      const upstream = await startUpstream((seen) => {
        const { id, method } = seen.message ?? {};
        if (id === undefined && method !== undefined) return refuse(seen);
        return serve(seen);
      });
      const proxy = startProxy(upstream.url);
      expect((await proxy.initialize()).result).toBeDefined();
      proxy.send({ jsonrpc: '2.0', method: CHANGED });
      const answers = [proxy.call('x'), proxy.request('tools/list'), proxy.call('y')];
      for (const { error } of await Promise.all(answers)) expect(error).toBeUndefined();
      await upstream.sawMethod(CHANGED);
      await callTwice(proxy);
      await proxy.close();
      const methods = ['initialize', 'notifications/initialized', CHANGED];
      expect(methods.map((method) => sent(upstream, method).length)).toEqual([1, 1, 1]);
      expect(upstream.seen.filter((seen) => isCall(seen))).toHaveLength(4);
    },
  );

  it.each([
    ['in words', asText],
    ['as JSON-RPC', asJson],
  ])('does not affect the session if it is the only one, %s', async (_, refuse) => {
    const upstream = await startUpstream((seen) =>
      seen.message?.method === CHANGED ? refuse(seen) : serve(seen),
    );
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    await proxy.call('x');
    proxy.send({ jsonrpc: '2.0', method: CHANGED });
    await upstream.sawMethod(CHANGED);
    await callTwice(proxy);
    await proxy.close();
    expect(sent(upstream, 'initialize')).toHaveLength(1);
    expect(sent(upstream, CHANGED)).toHaveLength(1);
  });
});

it('a notification that is never acknowledged delays no request', async () => {
  const initialized = 'notifications/initialized';
  const upstream = await startUpstream(
    (seen) => seen.message?.method === initialized || serve(seen),
  );
  const proxy = startProxy(upstream.url);
  await proxy.initialize();
  expect((await proxy.call('x')).result.content[0].text).toBe('ok');
  expect((await upstream.sawMethod(initialized)).response.headersSent).toBe(false);
  expect(ACKNOWLEDGEMENT_TIMEOUT_MS).toBeLessThanOrEqual(1_000);
});

describe('a throttled list', () => {
  it.each([
    ['-32003 with HTTP 200', 200],
    ['-32003 with HTTP 429', 429],
  ])('is requested again, whatever the message: %s', async (_, status) => {
    let lists = 0;
    const upstream = await startUpstream((seen) => {
      const { id, method } = seen.message ?? {};
      if (method !== 'resources/list') return false;
      if (++lists > 1) result(seen, { resources: [] });
      else json(seen.response, rpcError(id, -32003, 'Rate exceeded'), status);
      return true;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    expect((await proxy.request('resources/list')).result).toEqual({ resources: [] });
    expect(lists).toBe(2);
  });
});

describe('the routing hint of MCP 2026-07-28', () => {
  const call = (proxy: ProxyProcess) =>
    proxy.request('tools/call', { name: 'x', arguments: {}, _meta: META });

  const REFUSALS: readonly (readonly [string, (seen: Seen) => unknown])[] = [
    [
      'as JSON-RPC',
      (seen: Seen) => json(seen.response, rpcError(null, -32001, 'Session not found'), 404),
    ],
    ['in words', asText],
  ];

  it.each(REFUSALS)(
    'is dropped permanently if the server rejects it with 404, %s',
    async (_, refuse) => {
      const upstream = await startUpstream((seen) => {
        if (isCall(seen) && seen.headers['mcp-session-id'] !== undefined) refuse(seen);
        else serve(seen);
        return true;
      });
      const proxy = startProxy(upstream.url);
      const first = await Promise.all([call(proxy), call(proxy)]);
      for (const { result } of first) expect(result.content[0].text).toBe('ok');
      const before = upstream.seen.length;
      expect((await call(proxy)).result.content[0].text).toBe('ok');
      expect(upstream.seen.slice(before)).toHaveLength(1);
      expect(upstream.seen.at(-1)?.headers['mcp-session-id']).toBeUndefined();
    },
  );

  it('is kept if a method is not found', async () => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen)) json(seen.response, rpcError(seen.message.id, -32601, 'No method'), 404);
      return !isCall(seen) || serve(seen);
    });
    const proxy = startProxy(upstream.url);
    expect((await proxy.request('prompts/list', { _meta: META })).error.code).toBe(-32601);
    await call(proxy);
    expect(upstream.seen).toHaveLength(2);
    expect(upstream.seen[1]?.headers['mcp-session-id']).toBeDefined();
  });

  it.each(REFUSALS)('is kept if the request is also rejected without it, %s', async (_, refuse) => {
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen, 'none')) return serve(seen);
      refuse(seen);
      return true;
    });
    const proxy = startProxy(upstream.url);
    const missing = { name: 'none', arguments: {}, _meta: META };
    expect((await proxy.request('tools/call', missing)).error.data.status).toBe(404);
    await call(proxy);
    expect(upstream.seen.at(-1)?.headers['mcp-session-id']).toBeDefined();
  });
});
