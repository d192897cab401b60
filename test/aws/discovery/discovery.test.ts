import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { DiscoveredScope } from '../../../src/aws/discovery/discovery.ts';
import { Discovery } from '../../../src/aws/discovery/discovery.ts';
import type { LocalConfig, RuntimeInput } from '../../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import { httpAgent, start, statelessMcp } from '../../local/harness.ts';
import { SleepersTime } from './still-time.ts';

type Settings = Omit<LocalConfig, 'runtimes'>;

const PLACE = { region: 'us-east-1' };
const LISTS = ['ListAgentRuntimes', 'ListAgentRuntimeEndpoints', 'ListGateways'];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'agentcore-discovery-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A local AgentCore and a discovery whose clock the test controls. */
async function setUp(
  runtimes: Readonly<Record<string, RuntimeInput>> = { server: statelessMcp() },
  more: Settings = {},
) {
  const local = await start(runtimes, more);
  const cacheFolder = join(temporaryFolder(), 'discovery');
  const time = new SleepersTime();
  const env = environmentOf(local);
  const open = () => new Discovery({ env, cacheFolder, clock: time });
  return { local, time, cacheFolder, env, open, discovery: open() };
}

/** Sets the environment of this process, from which the SDK clients read their endpoint. */
function environmentOf(local: LocalRuntime): Record<string, string> {
  const env = {
    ...local.env,
    AWS_CONFIG_FILE: '/nonexistent/config',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN']) vi.stubEnv(name, undefined);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  return env;
}

function calls(local: LocalRuntime): string[] {
  return local.requests.flatMap(({ operation, rpcMethod }) =>
    operation === 'control' ? (rpcMethod ?? []) : [],
  );
}

function only(found: readonly DiscoveredScope[]): DiscoveredScope {
  expect(found).toHaveLength(1);
  return found[0] as DiscoveredScope;
}

describe('discovery', () => {
  it('reports the kind of each runtime and gateway', async () => {
    const { local, discovery } = await setUp(
      {
        server: statelessMcp({ endpoints: ['DEFAULT', 'prod'], idleTimeout: 60 }),
        agent: httpAgent(),
        guarded: statelessMcp({ authorizer: 'JWT' }),
      },
      { gateways: { tools: {}, 'jwt-tools': { authorizer: 'CUSTOM_JWT' } } },
    );
    const place = only(await discovery.discoverAll({ places: [PLACE], versions: true }));
    expect(place).toMatchObject({
      isDone: true,
      problems: [],
      identity: { account: local.account },
    });
    expect(place.runtimes?.items).toMatchObject([
      {
        name: 'server',
        arn: local.runtime('server').arn,
        protocol: 'MCP',
        authorizer: 'IAM',
        status: 'READY',
        lifecycle: { idleTimeout: 60, maxLifetime: 28_800 },
        endpoints: [
          { name: 'DEFAULT', liveVersion: '1', targetVersion: undefined },
          { name: 'prod', liveVersion: '1' },
        ],
        versions: [{ version: '1', status: 'READY' }],
      },
      { name: 'agent', protocol: 'HTTP', authorizer: 'IAM' },
      {
        name: 'guarded',
        protocol: 'MCP',
        authorizer: 'JWT',
        jwt: { discoveryUrl: expect.any(String) },
      },
    ]);
    expect(place.gateways?.items).toMatchObject([
      {
        name: 'tools',
        arn: local.gateway('tools').arn,
        authorizer: 'IAM',
        url: local.gateway('tools').url,
      },
      { name: 'jwt-tools', authorizer: 'JWT', jwt: { discoveryUrl: expect.any(String) } },
    ]);
  });

  it('reads every page', async () => {
    const many = Array.from({ length: 230 }, (_, index) => [`r${index}`, httpAgent()] as const);
    const { local, discovery } = await setUp(Object.fromEntries(many));
    const place = only(await discovery.discoverAll({ places: [PLACE], gateways: false }));
    expect(place.problems).toEqual([]);
    expect(place.runtimes?.items.map(({ name }) => name)).toEqual(many.map(([name]) => name));
    expect(place.runtimes?.items.every(({ protocol }) => protocol === 'HTTP')).toBe(true);
    expect(calls(local).filter((api) => api === 'ListAgentRuntimes')).toHaveLength(3);
    expect(calls(local)).not.toContain('ListGateways');
  });

  it('shows partial results early, and reports each scope as done once', async () => {
    const { discovery } = await setUp();
    const states: DiscoveredScope[] = [];
    for await (const state of discovery.discover({ places: [PLACE] })) states.push(state);
    expect(states.filter(({ isDone }) => isDone)).toEqual([states.at(-1)]);
    expect(states.some(({ isDone, identity }) => !isDone && identity)).toBe(true);
  });

  it('continues after AWS throttles', async () => {
    const { local, discovery } = await setUp();
    local.faults.inject({
      kind: 'throttle',
      operation: 'control',
      method: 'GetAgentRuntime',
      times: 3,
    });
    const place = only(await discovery.discoverAll({ places: [PLACE] }));
    expect(place.problems).toEqual([]);
    expect(place.runtimes?.items).toMatchObject([{ protocol: 'MCP' }]);
  });

  it('reports an error, not an empty list, if AWS keeps throttling', async () => {
    const { local, discovery } = await setUp();
    local.faults.inject({
      kind: 'throttle',
      operation: 'control',
      method: 'ListAgentRuntimes',
      times: 'always',
    });
    const place = only(await discovery.discoverAll({ places: [PLACE] }));
    expect(place.runtimes).toBeUndefined();
    expect(place.gateways?.items).toEqual([]);
    expect(place.problems).toMatchObject([{ kind: 'throttled', api: 'ListAgentRuntimes' }]);
  });

  it('shows the other results if one call is denied, and names the missing action', async () => {
    const key = {
      id: 'AKIALISTERXXXEXAMPLE',
      secret: 'a-secret',
      allowed: ['bedrock-agentcore:List*'],
    };
    const { discovery } = await setUp({ server: statelessMcp() }, { accessKeys: [key] });
    const place = only(await discovery.discoverAll({ places: [PLACE] }));
    expect(place.runtimes?.items).toMatchObject([
      { name: 'server', endpoints: [{ name: 'DEFAULT' }] },
    ]);
    expect(place.runtimes?.items[0]?.protocol).toBeUndefined();
    expect(place.problems).toMatchObject([
      {
        kind: 'denied',
        api: 'GetAgentRuntime',
        subject: 'server',
        denial: { action: 'bedrock-agentcore:GetAgentRuntime' },
      },
    ]);
  });

  it('stops at once when its signal aborts', async () => {
    const { local, discovery } = await setUp();
    local.faults.inject({ kind: 'silence', operation: 'control', times: 'always' });
    const ending = new AbortController();
    const found = discovery.discoverAll({ places: [PLACE], signal: ending.signal });
    await local.until(() => calls(local).length > 0, 'a call');
    ending.abort(new Error('enough'));
    await expect(found).rejects.toThrow('enough');
  });

  it('leaves out calls that take too long, and reports them', async () => {
    const { local, discovery } = await setUp();
    local.faults.inject({
      kind: 'silence',
      operation: 'control',
      method: 'GetAgentRuntime',
      times: 'always',
    });
    const place = only(await discovery.discoverAll({ places: [PLACE], timeoutMs: 10_000 }));
    expect(place.runtimes?.items).toMatchObject([{ name: 'server' }]);
    expect(place.problems).toMatchObject([{ kind: 'bound' }]);
  });

  it('looks up the caller identity in the next region if the first one rejects the credentials', async () => {
    const { discovery } = await setUp();
    const places = [{ region: 'ap-east-1' }, PLACE];
    const [refused, found] = await discovery.discoverAll({ places });
    expect(refused?.problems).toMatchObject([{ kind: 'credentials', api: 'GetCallerIdentity' }]);
    expect(found).toMatchObject({ problems: [], identity: { region: 'us-east-1' } });
    expect(found?.runtimes?.items).toHaveLength(1);
  });
});

describe('cached discovery results', () => {
  it('are shown with their age, and AWS is not called again for a while', async () => {
    const { local, time, discovery, open } = await setUp();
    const readAt = new Date(time.now()).toISOString();
    await discovery.discoverAll({ places: [PLACE] });
    const before = calls(local).length;
    time.time += 4 * 60_000;
    const place = only(await open().discoverAll({ places: [PLACE] }));
    expect(place.runtimes).toMatchObject({ source: 'cache', readAt, items: [{ protocol: 'MCP' }] });
    expect(calls(local)).toHaveLength(before);
    time.time += 2 * 60_000;
    expect(only(await open().discoverAll({ places: [PLACE] })).runtimes?.source).toBe('aws');
  });

  it('are replaced on request', async () => {
    const { local, discovery } = await setUp();
    await discovery.discoverAll({ places: [PLACE] });
    const place = only(await discovery.discoverAll({ places: [PLACE], refresh: true }));
    expect(place.runtimes?.source).toBe('aws');
    for (const api of LISTS) expect(calls(local).filter((call) => call === api)).toHaveLength(2);
  });

  it('are read again if a part was missing', async () => {
    const { local, discovery } = await setUp();
    const fault = {
      kind: 'status',
      status: 400,
      operation: 'control',
      method: 'GetAgentRuntime',
    } as const;
    local.faults.inject(fault);
    expect(only(await discovery.discoverAll({ places: [PLACE] })).problems).toHaveLength(1);
    const place = only(await discovery.discoverAll({ places: [PLACE] }));
    expect(place).toMatchObject({
      problems: [],
      runtimes: { source: 'aws', items: [{ protocol: 'MCP' }] },
    });
  });

  it('are used if the caller identity is unavailable', async () => {
    const { local, time, discovery, open } = await setUp();
    await discovery.discoverAll({ places: [PLACE] });
    time.time += 24 * 3_600_000;
    local.faults.inject({ kind: 'expired-credentials', operation: 'sts', times: 'always' });
    const place = only(await open().discoverAll({ places: [PLACE] }));
    expect(place).toMatchObject({
      identity: undefined,
      runtimes: { source: 'cache', items: [{ name: 'server' }] },
      problems: [{ kind: 'credentials' }],
    });
  });

  it('are not shared with another profile or another endpoint', async () => {
    const { discovery, env, cacheFolder, time } = await setUp();
    await discovery.discoverAll({ places: [PLACE] });
    const other = await start({ another: httpAgent() });
    vi.stubEnv('AWS_ENDPOINT_URL', other.url);
    const elsewhere = new Discovery({
      env: { ...env, AWS_ENDPOINT_URL: other.url },
      cacheFolder,
      clock: time,
    });
    const place = only(await elsewhere.discoverAll({ places: [PLACE] }));
    expect(place.runtimes).toMatchObject({ source: 'aws', items: [{ name: 'another' }] });
  });

  it('are readable by the user alone, and contain no secret', async () => {
    const { local, discovery, cacheFolder } = await setUp();
    await discovery.discoverAll({ places: [PLACE] });
    const [name = ''] = readdirSync(cacheFolder);
    const path = join(cacheFolder, name);
    if (process.platform !== 'win32') {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(cacheFolder).mode & 0o777).toBe(0o700);
    }
    expect(readFileSync(path, 'utf8')).not.toContain(local.credentials.secretAccessKey);
  });

  it('are empty if the file is broken or cannot be written', async () => {
    const { discovery, open, cacheFolder, env, time } = await setUp();
    await discovery.discoverAll({ places: [PLACE] });
    const [name = ''] = readdirSync(cacheFolder);
    writeFileSync(join(cacheFolder, name), '{"format":1,');
    expect(only(await open().discoverAll({ places: [PLACE] })).runtimes?.source).toBe('aws');
    const occupied = join(temporaryFolder(), 'file');
    mkdirSync(join(occupied, '..'), { recursive: true });
    writeFileSync(occupied, '');
    const nowhere = new Discovery({ env, cacheFolder: occupied, clock: time });
    expect(only(await nowhere.discoverAll({ places: [PLACE] })).problems).toEqual([]);
  });
});
