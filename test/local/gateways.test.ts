import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  INITIALIZE,
  isAlive,
  nodeCommand,
  type Post,
  read,
  type Sent,
  signingFetch,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
  toolText,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

type Gateway = NonNullable<LocalConfig['gateways']>[string];

const OAUTH: LocalConfig['oauth'] = { clients: { ci: { secret: 's' }, desk: { secret: 's' } } };
const TARGETS: Gateway['targets'] = { notes: { runtime: 'notes' } };
const LIST = { jsonrpc: '2.0', id: 3, method: 'tools/list' };
const COUNT = toolCall('notes___count');

/** A local AgentCore with one gateway for one server. */
function withGateway(
  gateway: Gateway,
  more: Partial<LocalConfig> = {},
  options: { readonly clock?: ManualClock } = {},
) {
  const { runtimes = { notes: statelessMcp() }, ...rest } = more;
  const gateways = { tools: { targets: TARGETS, ...gateway } };
  return start(runtimes, { oauth: OAUTH, gateways, ...rest }, options);
}

/** Posts to the gateway with a signature, with a token, or without either. */
function to(local: LocalRuntime, by: 'signature' | 'nothing' | { readonly token: string }): Post {
  const { url } = local.gateway('tools');
  const send = by === 'signature' ? signingFetch(local) : fetch;
  return (message, headers = {}) =>
    send(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(typeof by === 'object' && { authorization: `Bearer ${by.token}` }),
        ...headers,
      },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
}

async function tokenOf(local: LocalRuntime, clientId = 'ci', more: object = {}) {
  return { token: (await local.oauth.issue({ clientId, ...more })).accessToken };
}

async function sessionOf(post: Post): Promise<{ readonly 'mcp-session-id': string }> {
  const { headers } = await read(post(INITIALIZE));
  return { 'mcp-session-id': headers.get('mcp-session-id') ?? '' };
}

function codeOf({ status, json }: Sent) {
  return [status, json.error?.code, json.error?.message];
}

describe('a gateway with IAM authorization', () => {
  test('speaks MCP, and calls the tools of its targets by their prefixed names', async () => {
    const local = await withGateway({});
    const post = to(local, 'signature');
    expect(await read(post(INITIALIZE))).toMatchObject({
      status: 200,
      json: {
        id: 1,
        result: {
          protocolVersion: '2025-06-18',
          capabilities: { tools: {} },
          serverInfo: { name: 'tools' },
        },
      },
    });
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    expect((await post(initialized)).status).toBe(202);
    expect(toolText(await read(post(COUNT)))).toBe('1');
    expect(toolText(await read(post(COUNT)))).toBe('2');
    expect(codeOf(await read(post(toolCall('others___count'))))).toEqual([
      200,
      -32602,
      'Unknown tool: others___count',
    ]);
    expect(codeOf(await read(post({ ...LIST, method: 'prompts/list' })))).toEqual([
      200,
      -32601,
      'Method not found: prompts/list',
    ]);
    expect(codeOf(await read(post('{')))).toEqual([400, -32700, 'Parse error']);
  });

  test('rejects unsigned and wrongly signed requests', async () => {
    const local = await withGateway({});
    expect(codeOf(await read(to(local, 'nothing')(INITIALIZE)))).toEqual([
      403,
      -32002,
      'Authorization error - Insufficient permissions',
    ]);
    expect((await to(local, await tokenOf(local))(INITIALIZE)).status).toBe(403);
    const wrong = signingFetch(local, { service: 'execute-api' });
    const { url } = local.gateway('tools');
    const body = JSON.stringify(INITIALIZE);
    const headers = { 'content-type': 'application/json' };
    expect((await wrong(url, { method: 'POST', headers, body })).status).toBe(403);
  });

  test('has no metadata for bearer tokens', async () => {
    const local = await withGateway({});
    const url = local.gateway('tools').url.replace('/mcp', '/.well-known/oauth-protected-resource');
    expect((await fetch(url)).status).toBe(404);
  });
});

describe('a gateway with JWT authorization', () => {
  test('refers a client without a token to the authorization server', async () => {
    const local = await withGateway({ authorizer: 'CUSTOM_JWT' });
    const refused = await read(to(local, 'nothing')(INITIALIZE));
    expect(codeOf(refused)).toEqual([401, -32001, 'Authentication error - Invalid credentials']);
    const challenge = refused.headers.get('www-authenticate') ?? '';
    const [, metadata = ''] = /^Bearer resource_metadata="([^"]+)"$/.exec(challenge) ?? [];
    expect(await (await fetch(metadata)).json()).toMatchObject({
      resource: local.gateway('tools').url,
      authorization_servers: [local.oauth.issuer],
    });
    expect((await to(local, await tokenOf(local))(INITIALIZE)).status).toBe(200);
  });

  test('rejects a signature, an expired token, and a token of another client', async () => {
    const local = await withGateway({ authorizer: { allowedClients: ['ci'] } });
    const expired = await tokenOf(local, 'ci', { expiresIn: -1 });
    for (const by of ['signature', expired, await tokenOf(local, 'desk')] as const) {
      const { status, headers } = await read(to(local, by)(INITIALIZE));
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toContain('resource_metadata=');
    }
    expect((await to(local, await tokenOf(local))(INITIALIZE)).status).toBe(200);
  });

  test('serves its tools to an official client', async () => {
    const local = await withGateway(
      { authorizer: 'CUSTOM_JWT', sessions: true, targets: { own: { runtime: 'official' } } },
      {
        runtimes: {
          official: { command: nodeCommand('official-server.ts'), sessions: 'stateful' },
        },
      },
    );
    const { token } = await tokenOf(local);
    const client = new Client({ name: 'test', version: '1' });
    const transport = new StreamableHTTPClientTransport(new URL(local.gateway('tools').url), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    onTestFinished(() => client.close());
    await client.connect(transport as Transport);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['own___add', 'own___ask']);
    expect(await client.callTool({ name: 'own___add', arguments: { a: 2, b: 3 } })).toMatchObject({
      content: [{ type: 'text', text: '5' }],
    });
  });
});

test('a gateway without an authorizer accepts every request', async () => {
  const local = await withGateway({ authorizer: 'NONE' });
  for (const by of ['nothing', 'signature', await tokenOf(local)] as const) {
    expect((await to(local, by)(INITIALIZE)).status).toBe(200);
  }
  expect(toolText(await read(to(local, 'nothing')(COUNT)))).toBe('1');
});

describe('a gateway without sessions', () => {
  test('returns no session id, ignores one, and ends none', async () => {
    const local = await withGateway({ authorizer: 'NONE' });
    const post = to(local, 'nothing');
    expect((await read(post(INITIALIZE))).headers.get('mcp-session-id')).toBeNull();
    expect(toolText(await read(post(COUNT, { 'mcp-session-id': 'invented' })))).toBe('1');
    for (const method of ['GET', 'DELETE']) {
      expect((await fetch(local.gateway('tools').url, { method })).status).toBe(405);
    }
  });
});

describe('a gateway with sessions', () => {
  test('answers 400 without a session id, and 404 to an unknown one', async () => {
    const local = await withGateway({ authorizer: 'NONE', sessions: true });
    const post = to(local, 'nothing');
    expect(codeOf(await read(post(LIST)))).toEqual([400, -32600, 'Missing Mcp-Session-Id header']);
    const unknown = { 'mcp-session-id': 'invented' };
    expect(codeOf(await read(post(LIST, unknown)))).toEqual([404, -32001, 'Session not found']);
    const known = await sessionOf(post);
    const listed = await read(post(COUNT, known));
    expect(toolText(listed)).toBe('1');
    expect(listed.headers.get('mcp-session-id')).toBe(known['mcp-session-id']);
  });

  test('starts separate servers for each session, and stops them with it', async () => {
    const local = await withGateway(
      { authorizer: 'NONE', sessions: true },
      { runtimes: { notes: statefulMcp() } },
    );
    const post = to(local, 'nothing');
    const [first, second] = [await sessionOf(post), await sessionOf(post)];
    expect(toolText(await read(post(COUNT, first)))).toBe('1');
    expect(toolText(await read(post(COUNT, second)))).toBe('1');
    expect(toolText(await read(post(COUNT, first)))).toBe('2');
    const [{ pid } = { pid: undefined }] = local.sessions('notes');
    expect(isAlive(pid)).toBe(true);
    const { url } = local.gateway('tools');
    expect((await fetch(url, { method: 'DELETE', headers: first })).status).toBe(204);
    expect((await fetch(url, { method: 'DELETE', headers: first })).status).toBe(404);
    expect((await read(post(COUNT, first))).status).toBe(404);
    await local.until(() => local.sessions('notes')[0]?.state === 'Stopped');
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect(toolText(await read(post(COUNT, second)))).toBe('2');
  });

  test('expires a session after its time, used or not', async () => {
    const clock = new ManualClock();
    const gateway = { authorizer: 'NONE', sessions: true, sessionTimeout: 900 } as const;
    const local = await withGateway(gateway, {}, { clock });
    const post = to(local, 'nothing');
    const session = await sessionOf(post);
    clock.advance(899_000);
    expect((await read(post(COUNT, session))).status).toBe(200);
    clock.advance(1000);
    expect(codeOf(await read(post(COUNT, session)))).toEqual([404, -32001, 'Session not found']);
    expect((await read(post(COUNT, await sessionOf(post)))).status).toBe(200);
  });

  test('accepts a session from its owner alone', async () => {
    const local = await withGateway({ authorizer: 'CUSTOM_JWT', sessions: true });
    const ci = to(local, await tokenOf(local));
    const session = await sessionOf(ci);
    expect((await read(to(local, await tokenOf(local, 'desk'))(COUNT, session))).status).toBe(404);
    // A newer token of the same client is the same caller.
    expect((await read(to(local, await tokenOf(local))(COUNT, session))).status).toBe(200);
  });
});

describe('a target', () => {
  test('may have its own command, and a server with sessions', async () => {
    const own = { command: nodeCommand('mcp-server.ts'), sessions: 'stateful' } as const;
    const env = { SESSIONS: 'stateful' };
    const local = await withGateway({
      authorizer: 'NONE',
      targets: { ...TARGETS, own: { ...own, env } },
    });
    const post = to(local, 'nothing');
    expect(toolText(await read(post(toolCall('own___count'))))).toBe('1');
    expect(toolText(await read(post(COUNT)))).toBe('1');
    expect(toolText(await read(post(toolCall('own___count'))))).toBe('2');
  });

  test('is started and initialized again if it dies', async () => {
    const local = await withGateway({ authorizer: 'NONE' }, { runtimes: { notes: statefulMcp() } });
    const post = to(local, 'nothing');
    await read(post(COUNT));
    const id = local.sessions('notes')[0]?.runtimeSessionId ?? '';
    await local.killMicroVm(id);
    expect(toolText(await read(post(COUNT)))).toBe('1');
  });

  test('that does not start causes a platform error', async () => {
    const command = [process.execPath, '-e', 'process.exit(1)'];
    const local = await withGateway({ authorizer: 'NONE' }, { runtimes: { notes: { command } } });
    const [status, code] = codeOf(await read(to(local, 'nothing')(COUNT)));
    expect([status, code]).toEqual([200, -32010]);
  });

  test.each([
    ['an unknown runtime', { notes: { runtime: 'others' } }, /no MCP runtime has this/],
    [
      'a name with an underscore',
      { my_notes: { runtime: 'notes' } },
      /a target is named by letters/,
    ],
  ])('cannot be %s', async (_, targets, message) => {
    await expect(withGateway({ targets })).rejects.toThrow(message);
  });
});

test('a fault affects the calls of a gateway, but not those of its runtime', async () => {
  const local = await withGateway({ authorizer: 'NONE' });
  const post = to(local, 'nothing');
  const fault = local.faults.inject({
    kind: 'throttle',
    operation: 'gateway',
    method: 'tools/call',
    tool: 'notes___count',
  });
  expect((await read(post(INITIALIZE))).status).toBe(200);
  expect(codeOf(await read(post(COUNT)))).toEqual([
    200,
    -32003,
    'Rate limit exceeded - Too many requests',
  ]);
  expect(fault.hits).toBe(1);
  expect(toolText(await read(post(COUNT)))).toBe('1');
});
