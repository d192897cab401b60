import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createLocalVariables,
  LocalAgentCore,
  LocalAgentCores,
  prepareLocal,
} from '../../../src/extension/servers/local-agentcore.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';
import { probeInvoke } from '../../../src/extension/setup/invoke-probe.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { endWithTest } from '../../fixtures/running.ts';

const program = resolve('dist/cli.js');
/** No confirmation is required. */
const UNLIMITED = { require: () => undefined };
const SAMPLE = readEntry({ name: 'Sample (local)', local: {} });

const env = () => ({
  ...process.env,
  AWS_CONFIG_FILE: '/nonexistent/config',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
  AWS_EC2_METADATA_DISABLED: 'true',
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'agentcore-local-'));
  endWithTest(path, () => rm(path, { recursive: true, force: true }));
  return path;
}

async function sampleCores(): Promise<LocalAgentCores> {
  const storage = await folder();
  const log = () => {};
  const cores = new LocalAgentCores(
    { program, env, log },
    { storage, sampleServer: resolve('dist/sample-server.js'), folder: () => undefined },
  );
  return endWithTest(cores, async () => kill((await cores.of(undefined)).pid));
}

function kill(pid: number | undefined): void {
  if (pid !== undefined) process.kill(pid);
}

describe('the local AgentCore of a window', () => {
  it('serves the sample to a proxy without any AWS setup', async () => {
    const cores = await sampleCores();
    const variables = await prepareLocal(cores, UNLIMITED)(
      SAMPLE,
      AbortSignal.timeout(MAX_WAIT_MS),
    );
    expect(variables).toMatchObject({
      AGENTCORE_AGENT_ARN: expect.stringContaining(':runtime/sample-'),
      AWS_ENDPOINT_URL: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      AWS_ACCESS_KEY_ID: expect.any(String),
      AWS_PROFILE: null,
      HTTP_PROXY: null,
    });
    const outcome = await probeInvoke({
      proxy: resolve('dist/proxy.js'),
      env: env(),
      variables: variables ?? {},
      signal: AbortSignal.timeout(MAX_WAIT_MS),
    });
    expect(outcome).toMatchObject({
      kind: 'answered',
      tools: expect.arrayContaining(['get_weather', 'tell_story', 'create_profile']),
    });
  });

  it('is started once for all callers', async () => {
    const cores = await sampleCores();
    const [one, other] = await Promise.all([
      prepareLocal(cores, UNLIMITED)(SAMPLE, AbortSignal.timeout(MAX_WAIT_MS)),
      prepareLocal(cores, UNLIMITED)(SAMPLE, AbortSignal.timeout(MAX_WAIT_MS)),
    ]);
    expect(one).toEqual(other);
  });

  it('is started again at the same address when it dies', async () => {
    const cores = await sampleCores();
    const local = await cores.of(undefined);
    const before = await local.ready();
    const pid = local.pid as number;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => local.pid).not.toBe(pid);
    const after = await local.ready();
    expect(local.pid).not.toBe(pid);
    expect(after.url).toBe(before.url);
  });

  it('reports a mistake in the configuration, and starts once it is corrected', async () => {
    const config = join(await folder(), 'agentcore-local.yaml');
    await writeFile(config, 'runtimes: 1\n');
    const local = new LocalAgentCore({ program, config, env, log: () => {} });
    endWithTest(local, () => kill(local.pid));
    await expect(local.ready()).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('agentcore-local.yaml:1'),
    });
    await writeFile(config, 'runtimes: { mine: { command: [node, server.mjs] } }\n');
    await expect.poll(() => local.pid).toBeUndefined();
    expect((await local.ready()).runtimes).toMatchObject([{ name: 'mine' }]);
  });

  it('ends when the window closes', async () => {
    const config = join(await folder(), 'local.yaml');
    await writeFile(config, 'runtimes: { mine: { command: [node, server.mjs] } }\n');
    const local = new LocalAgentCore({ program, config, env, log: () => {} });
    await local.ready();
    const pid = local.pid as number;
    local.dispose();
    await expect.poll(() => isAlive(pid)).toBe(false);
    await expect(local.ready()).rejects.toMatchObject({ code: 'shutdown' });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('an entry for a local AgentCore', () => {
  it('names an existing runtime, or gets an error that lists them', () => {
    const endpoint = {
      url: 'http://127.0.0.1:1',
      runtimes: [{ name: 'mine', arn: 'arn:mine' }],
      env: { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' },
    };
    expect(createLocalVariables(endpoint, 'mine')).toMatchObject({
      AGENTCORE_AGENT_ARN: 'arn:mine',
    });
    expect(() => createLocalVariables(endpoint, 'yours')).toThrow('name one of mine');
  });

  it('is the only kind that is prepared here', async () => {
    const step = prepareLocal({ of: () => Promise.reject(new Error('asked')) } as never, UNLIMITED);
    const arn = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
    const entry = readEntry({ name: 'w', arn });
    expect(await step(entry, AbortSignal.timeout(1_000))).toBeUndefined();
  });
});
