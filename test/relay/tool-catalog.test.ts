import { describe, expect, it } from 'vitest';
import { createNotification, type JsonObject } from '../../src/mcp/message.ts';
import { applyInterceptors, createContext } from '../../src/relay/peer.ts';
import { listAll, ToolCatalog } from '../../src/relay/tool-catalog.ts';
import {
  callOf,
  errorFor,
  exchangeWith,
  requestOf,
  resultFor,
  ScriptedServer,
} from '../recovery/scripted-peers.ts';

const STATELESS = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

/** A server that lists `pages` of tools, behind a catalog. */
function listing(pages: readonly (readonly JsonObject[])[]) {
  const shown = { pages };
  const server = new ScriptedServer((request) => {
    const page = Number(request.params?.cursor ?? 0);
    const isLast = page + 1 >= shown.pages.length;
    return resultFor(request, {
      tools: shown.pages[page],
      ...(!isLast && { nextCursor: String(page + 1) }),
    });
  });
  const tools = new ToolCatalog();
  const peer = applyInterceptors([tools], server);
  return {
    shown,
    server,
    tools,
    peer,
    list: () => peer.request(requestOf('tools/list'), exchangeWith()),
    find: (name: string) => tools.find(name, callOf(name), peer, exchangeWith()),
  };
}

/** Sends `notifications/tools/list_changed` from the server. */
async function changeList(tools: ToolCatalog): Promise<void> {
  const changed = createNotification('notifications/tools/list_changed');
  const server = applyInterceptors([tools], {
    request: async (request, { sender }) => {
      await sender.notify(changed, createContext('to-client'));
      return resultFor(request, {});
    },
    notify: async () => undefined,
  });
  await server.request(requestOf('ping'), exchangeWith());
}

describe('the entry of a tool', () => {
  it('keeps the strictest hints, and the latest idempotence', async () => {
    const { shown, tools, list } = listing([
      [{ name: 'x', annotations: { readOnlyHint: false, idempotentHint: true } }],
    ]);
    await list();
    expect(tools.get('x')?.hints).toEqual({ writes: true, destroys: true });
    expect(tools.isIdempotent(callOf('x'))).toBe(true);
    shown.pages = [[{ name: 'x', annotations: { destructiveHint: false } }]];
    await list();
    expect(tools.get('x')?.hints).toEqual({ writes: true, destroys: true });
    expect(tools.isIdempotent(callOf('x'))).toBe(false);
    shown.pages = [[{ name: 'x', annotations: { readOnlyHint: true } }]];
    await list();
    expect(tools.get('x')?.hints).toEqual({ writes: true, destroys: true });
    expect(tools.isIdempotent(callOf('x'))).toBe(true);
  });

  it('is outdated after list_changed, but keeps its idempotence', async () => {
    const { server, tools, list, find } = listing([
      [{ name: 'x', annotations: { readOnlyHint: true } }],
    ]);
    await list();
    await changeList(tools);
    expect(tools.get('x')).toBeUndefined();
    expect(tools.isIdempotent(callOf('x'))).toBe(true);
    expect(await find('x')).toMatchObject({ hints: { writes: false } });
    expect(server.count('tools/list')).toBe(2);
  });

  it('changes its definition only with the description of the tool', async () => {
    const { shown, tools, list } = listing([[{ name: 'x', description: 'a', other: 1 }]]);
    await list();
    const before = tools.get('x')?.definition;
    shown.pages = [[{ name: 'x', description: 'a', other: 2 }]];
    await list();
    expect(tools.get('x')?.definition).toBe(before);
    shown.pages = [[{ name: 'x', description: 'b' }]];
    await list();
    expect(tools.get('x')?.definition).not.toBe(before);
  });

  it('is not stored beyond the maximum, so a tool keeps its strictest hints', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => ({ name: `t${index}` }));
    const { tools, list } = listing([many]);
    await list();
    expect(tools.get('t9999')).toBeDefined();
    expect(tools.get('t10000')).toBeUndefined();
  });
});

it('shares one listing among concurrent calls, even if the first is cancelled', async () => {
  const { server, tools, peer, find } = listing([[{ name: 'x' }], [{ name: 'y' }]]);
  const abort = new AbortController();
  const first = tools.find('y', callOf('y'), peer, exchangeWith(undefined, abort.signal));
  abort.abort(new Error('cancelled'));
  await expect(first).rejects.toThrow('cancelled');
  expect(await find('y')).toBeDefined();
  expect(await find('x')).toBeDefined();
  expect(server.count('tools/list')).toBe(2);
});

it('creates parameter headers only for stateless calls of listed tools', async () => {
  const region = { type: 'string', 'x-mcp-header': 'Region' };
  const inputSchema = { type: 'object', properties: { region } };
  const { tools, list } = listing([[{ name: 'x', inputSchema }]]);
  const call = (name: string, _meta?: JsonObject) =>
    requestOf('tools/call', { name, arguments: { region: 'eu' }, ...(_meta && { _meta }) });
  expect(tools.paramHeaders(call('x', STATELESS))).toEqual({});
  await list();
  expect(tools.paramHeaders(call('x', STATELESS))).toEqual({ 'mcp-param-region': 'eu' });
  expect(tools.paramHeaders(call('y', STATELESS))).toEqual({});
  expect(tools.paramHeaders(call('x'))).toEqual({});
});

async function collect(pages: AsyncIterable<JsonObject>): Promise<readonly JsonObject[]> {
  const collected = [];
  for await (const page of pages) collected.push(page);
  return collected;
}

describe('listAll', () => {
  it('requests every page, with the _meta of the call but its progress token', async () => {
    const { server } = listing([[{ name: 'x' }], [{ name: 'y' }]]);
    const call = callOf('x', { ...STATELESS, progressToken: 1 });
    const pages = await collect(listAll(server, 'tools/list', exchangeWith(), { call }));
    expect(pages.map(({ tools }) => tools)).toEqual([[{ name: 'x' }], [{ name: 'y' }]]);
    expect(server.requests.map(({ params }) => params)).toEqual([
      { _meta: STATELESS },
      { _meta: STATELESS, cursor: '1' },
    ]);
  });

  it('ends at the maximum number of pages', async () => {
    const { server } = listing([[], [], []]);
    const pages = listAll(server, 'tools/list', exchangeWith(), { maxPages: 2 });
    expect(await collect(pages)).toHaveLength(2);
  });

  it('fails with the error of the server', async () => {
    const server = new ScriptedServer((request) => errorFor(request, -32001, 'no'));
    await expect(collect(listAll(server, 'tools/list', exchangeWith()))).rejects.toMatchObject({
      code: 'upstream',
      data: { jsonRpcCode: -32001 },
    });
  });
});
