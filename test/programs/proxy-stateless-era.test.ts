import { describe, expect, it } from 'vitest';
import { type ProxyProcess, startProxy } from '../fixtures/proxy-process.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

const TOOL = {
  name: 'query',
  inputSchema: {
    type: 'object',
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, sql: { type: 'string' } },
  },
};

function query(proxy: ProxyProcess, region: string) {
  return proxy.request('tools/call', {
    name: 'query',
    arguments: { region, sql: 'select 1' },
    _meta: META,
  });
}

/** A server of 2026-07-28 that requires the headers that its tool declares. */
function strictServer(seen: Seen, listed: () => void = () => undefined): boolean {
  const { message, headers } = seen;
  if (message?.method === 'tools/list') {
    listed();
    // On the second page, so that the proxy must follow the cursor.
    if (message.params.cursor) result(seen, { tools: [TOOL] });
    else result(seen, { tools: [], nextCursor: 'page-2' });
    return true;
  }
  if (!isCall(seen)) return false;
  if (headers['mcp-param-region'] === message.params.arguments.region) {
    result(seen, { ran: true });
  } else {
    const error = { code: -32020, message: 'Mcp-Param-Region does not match' };
    json(seen.response, { jsonrpc: '2.0', id: message.id, error }, 400);
  }
  return true;
}

describe('a request of 2026-07-28', () => {
  it('needs no handshake, and has its headers derived from its body', async () => {
    const upstream = await startUpstream((seen) => result(seen, { ok: true }) ?? true);
    const proxy = startProxy(upstream.url);
    await proxy.request('server/discover', { _meta: META });
    await proxy.request('resources/read', { uri: 'file:///é', _meta: META });

    const [discover, read] = upstream.seen as [Seen, Seen];
    expect(discover.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'server/discover',
    });
    expect(discover.headers).not.toHaveProperty('mcp-name');
    expect(read.headers).toMatchObject({
      'mcp-method': 'resources/read',
      'mcp-name': '=?base64?ZmlsZTovLy/DqQ==?=',
    });
    expect(read.message.params).toEqual({ uri: 'file:///é', _meta: META });
    // AgentCore routes by a session id, which MCP no longer has, so the proxy sends a stable one.
    const hint = discover.headers['mcp-session-id'];
    expect(hint).toBe(discover.headers['x-amzn-bedrock-agentcore-runtime-session-id']);
    expect(read.headers['mcp-session-id']).toBe(hint);
  });

  it('can share a process with the handshake era, distinguished by the message', async () => {
    const upstream = await startUpstream((seen) => isCall(seen) && (result(seen, {}) ?? true));
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    await Promise.all([proxy.call('old'), proxy.call('new', {}, META)]);

    const of = (name: string) => upstream.seen.find((seen) => isCall(seen, name)) as Seen;
    expect(of('old').headers).toMatchObject({
      'mcp-session-id': 'server-session-1',
      'mcp-protocol-version': '2025-11-25',
    });
    expect(of('old').headers).not.toHaveProperty('mcp-method');
    expect(of('new').headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'new',
    });
    expect(of('new').headers['mcp-session-id']).not.toBe('server-session-1');
  });

  it('repeats arguments as headers if the listed tool declares them', async () => {
    const upstream = await startUpstream((seen) => strictServer(seen));
    const proxy = startProxy(upstream.url);
    await proxy.request('tools/list', { cursor: 'page-2', _meta: META });
    expect((await query(proxy, 'eu')).result).toEqual({ ran: true });
    expect(upstream.seen.filter((seen) => isCall(seen))).toHaveLength(1);
  });

  it('learns the headers of an unlisted tool, and is sent again', async () => {
    let lists = 0;
    const upstream = await startUpstream((seen) =>
      strictServer(seen, () => {
        lists++;
      }),
    );
    const proxy = startProxy(upstream.url);
    expect((await query(proxy, 'eu')).result).toEqual({ ran: true });
    expect(lists).toBe(2);
    expect((await query(proxy, 'us')).result).toEqual({ ran: true });
    expect(lists).toBe(2);
    expect(proxy.lines).toHaveLength(2);
  });

  it('calls again if listing the tools failed twice at first', async () => {
    const failures = [429, 503];
    const upstream = await startUpstream((seen) => {
      const status = seen.message?.method === 'tools/list' ? failures.shift() : undefined;
      if (status === undefined) return strictServer(seen);
      json(seen.response, { message: 'Not now' }, status);
      return true;
    });
    const proxy = startProxy(upstream.url);
    expect((await query(proxy, 'eu')).result).toEqual({ ran: true });
    expect(failures).toEqual([]);
    expect(upstream.seen.filter((seen) => isCall(seen))).toHaveLength(2);
  });

  it('gets the mismatch error if listing the tools does not help', async () => {
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method === 'tools/list') return result(seen, { tools: [] }) ?? true;
      return strictServer(seen);
    });
    const proxy = startProxy(upstream.url);
    const { error } = await query(proxy, 'eu');
    expect(error.code).toBe(-32020);
    expect(upstream.seen.filter((seen) => isCall(seen))).toHaveLength(1);
  });

  it('keeps its id, which identifies a subscription in all its messages', async () => {
    const upstream = await startUpstream((seen) => {
      const { id, method } = seen.message;
      if (method !== 'subscriptions/listen') return false;
      const send = stream(seen);
      const _meta = { 'io.modelcontextprotocol/subscriptionId': id };
      send({ jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta } });
      send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
      return true;
    });
    const proxy = startProxy(upstream.url);
    proxy.send({
      jsonrpc: '2.0',
      id: 'listen:1',
      method: 'subscriptions/listen',
      params: { _meta: META },
    });
    const changed = await proxy.next(
      'a change',
      ({ method }) => method === 'notifications/tools/list_changed',
    );
    expect(changed.params._meta['io.modelcontextprotocol/subscriptionId']).toBe('listen:1');
    const ended = await proxy.next('its end', ({ method }) => method === 'notifications/cancelled');
    expect(ended.params.requestId).toBe('listen:1');
  });

  it('passes on results that require input, and the answers to them, unchanged', async () => {
    const upstream = await startUpstream((seen) => {
      const { inputResponses } = seen.message.params;
      const ask = {
        resultType: 'input_required',
        inputRequests: { a: { method: 'elicitation/create' } },
        requestState: 's',
      };
      result(seen, inputResponses ? { resultType: 'complete', inputResponses } : ask);
      return true;
    });
    const proxy = startProxy(upstream.url);
    const first = await proxy.call('ask', {}, META);
    expect(first.result).toMatchObject({ resultType: 'input_required', requestState: 's' });
    const inputResponses = { a: { action: 'accept' } };
    const second = await proxy.request('tools/call', {
      name: 'ask',
      inputResponses,
      requestState: 's',
      _meta: META,
    });
    expect(second.result.inputResponses).toEqual(inputResponses);
  });
});
