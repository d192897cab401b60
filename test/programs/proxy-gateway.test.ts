import { describe, expect, it } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { CredentialHome, serve } from '../aws/credentials/credential-fixtures.ts';
import { runCli } from '../fixtures/cli-process.ts';
import type { ProxyProcess } from '../fixtures/proxy-process.ts';
import { nodeCommand, start, statelessMcp } from '../local/harness.ts';

const SECRET = 'hush-of-the-client-0123456789';
const OAUTH = { AGENTCORE_OAUTH_CLIENT_ID: 'app', AGENTCORE_OAUTH_CLIENT_SECRET: SECRET };

type Gateway = NonNullable<LocalConfig['gateways']>[string];

async function setUp(gateway: Gateway = {}) {
  const local = await start(
    { server: statelessMcp() },
    {
      oauth: { clients: { app: { secret: SECRET } } },
      gateways: {
        tools: { targets: { here: { command: nodeCommand('mcp-server.ts') } }, ...gateway },
      },
    },
    { deliveryLimit: 100 },
  );
  const home = await CredentialHome.make();
  return { local, home, gateway: local.gateway('tools') };
}

function proxyTo(local: LocalRuntime, home: CredentialHome, env: Record<string, string>) {
  return home.proxy(local, { AGENTCORE_AGENT_ARN: local.gateway('tools').arn, ...env });
}

function keysOf({ env }: LocalRuntime): Record<string, string> {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = env;
  return { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
}

/** A handshake and a call that must succeed. */
async function use(proxy: ProxyProcess): Promise<void> {
  expect((await proxy.initialize()).result?.serverInfo.name).toBe('tools');
  expect((await proxy.call('here___echo')).error).toBeUndefined();
}

describe('a gateway', () => {
  it.each<[string, Gateway, (local: LocalRuntime) => Record<string, string>]>([
    ['signatures', {}, keysOf],
    ['tokens', { authorizer: 'CUSTOM_JWT' }, () => OAUTH],
    ['any caller', { authorizer: 'NONE' }, () => ({ AGENTCORE_AUTH: 'none' })],
  ])('that accepts %s is called by its ARN', async (_, settings, env) => {
    const { local, home } = await setUp(settings);
    const proxy = proxyTo(local, home, env(local));
    await use(proxy);
    const { exited } = proxy;
    await home.expectNoSecret([SECRET, 'eyJ', keysOf(local).AWS_SECRET_ACCESS_KEY ?? '']);
    expect((await exited).code).toBe(0);
  });

  it('is called by its URL, in the region of the environment', async () => {
    const { local, home, gateway } = await setUp();
    const env = { ...keysOf(local), AGENTCORE_AGENT_ARN: gateway.url, AWS_REGION: local.region };
    await use(proxyTo(local, home, env));
    const lost = proxyTo(local, home, { ...env, AWS_REGION: '' });
    expect((await lost.exited).code).toBe(2);
    expect(lost.stderr).toMatch(/set AWS_REGION/);
  });

  it('has no billed sessions, and its calls are recorded', async () => {
    const { local, home } = await setUp();
    const proxy = proxyTo(local, home, keysOf(local));
    await use(proxy);
    await proxy.close();
    expect(JSON.parse((await runCli(['sessions', '--all', '--json'], home.env)).stdout)).toEqual(
      [],
    );
    expect((await runCli(['log', '--calls'], home.env)).stdout).toMatch(
      /tools\/call here___echo: result/,
    );
    for (const { headers } of local.requests.filter(({ operation }) => operation === 'gateway')) {
      expect(Object.keys(headers).join()).not.toMatch(/runtime-session-id/i);
    }
  });

  it('with sessions gets the id that it issued, and a new handshake when it forgets it', async () => {
    const { local, home } = await setUp({ sessions: true, sessionTimeout: 1 });
    const proxy = proxyTo(local, home, keysOf(local));
    await use(proxy);
    const isCalled = ({ rpcMethod }: { rpcMethod?: unknown }) => rpcMethod === 'tools/call';
    const ids = () =>
      local.requests.filter(isCalled).map(({ headers }) => headers['mcp-session-id']);
    const [first] = ids();
    expect(first).toBeDefined();
    // The gateway ends its session itself. No call may fail.
    while (ids().at(-1) === first) {
      expect((await proxy.call('here___echo')).error).toBeUndefined();
    }
    const refused = local.requests.filter(({ status }) => status === 404);
    expect(refused).toHaveLength(1);
  });

  it('keeps nothing from one request to the next in mode "request"', async () => {
    const { local, home } = await setUp({ sessions: true });
    const proxy = proxyTo(local, home, { ...keysOf(local), RUNTIME_SESSION_MODE: 'request' });
    await use(proxy);
    expect((await proxy.call('here___echo')).error).toBeUndefined();
    const ids = local.requests
      .filter(({ rpcMethod, status }) => rpcMethod === 'tools/call' && status === 200)
      .map(({ headers }) => headers['mcp-session-id']);
    expect(new Set(ids).size).toBe(2);
  });

  it('continues with a new token once the old one is rejected', async () => {
    const { local, home } = await setUp({ authorizer: 'CUSTOM_JWT' });
    const proxy = proxyTo(local, home, OAUTH);
    await use(proxy);
    // After new keys without the old ones, every token is rejected.
    await local.oauth.rotateKeys({ keepOld: false });
    expect((await proxy.call('here___echo')).error).toBeUndefined();
  });

  it.each<[string, Gateway, (local: LocalRuntime) => Record<string, string>, RegExp]>([
    [
      'tokens',
      { authorizer: 'CUSTOM_JWT' },
      keysOf,
      /The gateway takes JWT bearer tokens, not IAM signatures.*set AGENTCORE_OAUTH_CLIENT_ID/,
    ],
    [
      'tokens, and gets nothing',
      { authorizer: 'CUSTOM_JWT' },
      () => ({ AGENTCORE_AUTH: 'none' }),
      /The gateway takes JWT bearer tokens .*set AGENTCORE_OAUTH/,
    ],
    [
      'signatures, and gets nothing',
      {},
      () => ({ AGENTCORE_AUTH: 'none' }),
      /The gateway takes IAM signatures.*set AGENTCORE_AUTH to iam/,
    ],
    [
      'signatures, and gets a client',
      {},
      () => OAUTH,
      /requires IAM signatures.*set AGENTCORE_AUTH to iam/,
    ],
    [
      'certain tokens',
      { authorizer: { allowedClients: ['another'] } },
      () => OAUTH,
      /The gateway did not accept the bearer token \(HTTP 401.*JWT authorizer of the gateway/,
    ],
  ])(
    'that accepts %s causes an error that names the setting to change',
    async (_, settings, env, sentence) => {
      const { local, home } = await setUp(settings);
      const { error } = await proxyTo(local, home, env(local)).initialize();
      expect(error.message).toMatch(sentence);
      await home.expectNoSecret([SECRET, 'eyJ']);
    },
  );

  it('that does not exist, or fails, causes one error message', async () => {
    const { local, home, gateway } = await setUp();
    const arn = gateway.arn.replace(/.{10}$/, '0000000000');
    const gone = proxyTo(local, home, { ...keysOf(local), AGENTCORE_AGENT_ARN: arn });
    expect((await gone.initialize()).error.message).toMatch(
      /There is no such gateway.*check the address/,
    );
    const url = await serve((_, response) => response.writeHead(429).end());
    const busy = proxyTo(local, home, {
      ...keysOf(local),
      AGENTCORE_AGENT_ARN: `${url}/mcp`,
      AWS_REGION: local.region,
      AGENTCORE_RETRIES: '0',
    });
    const { error } = await busy.initialize();
    expect(error).toMatchObject({ code: -32003, data: { gateway: `${url}/mcp` } });
    expect(error.message).toMatch(/throttling \(HTTP 429\)/);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'a shared session',
      { RUNTIME_SESSION_MODE: 'identity' },
      /a gateway has no sessions to share/,
    ],
    [
      'a URL in the clear',
      { AGENTCORE_AGENT_ARN: 'http://gateway.example/mcp' },
      /Not the address of an AgentCore gateway/,
    ],
    [
      'a password in the URL',
      { AGENTCORE_AGENT_ARN: 'https://me:hush@gateway.example/mcp' },
      /Not the address of an AgentCore gateway/,
    ],
  ])('is not called with %s', async (_, env, sentence) => {
    const { local, home } = await setUp();
    const proxy = proxyTo(local, home, { ...keysOf(local), ...env });
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toMatch(sentence);
    expect(proxy.stderr).not.toContain('hush');
  });
});
