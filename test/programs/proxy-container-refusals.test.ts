import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { SwitchesInput } from '../../src/local/config/switches.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { SessionStore } from '../../src/sessions/session-store.ts';
import { proxyTo, running, startState } from '../fixtures/proxied-runtime.ts';
import type { ProxyProcess } from '../fixtures/proxy-process.ts';
import { start } from '../local/harness.ts';

const SERVER = fileURLToPath(new URL('../fixtures/refusing-server.mjs', import.meta.url));

const jsonRpc = (id: unknown, code: number, message: string) =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });

interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
}

async function startRefused(
  { status, body, contentType }: Refusal,
  switches: SwitchesInput = {},
): Promise<{ local: LocalRuntime; proxy: ProxyProcess; env: Record<string, string> }> {
  const { env } = await startState();
  const server = {
    command: [process.execPath, SERVER],
    env: { STATUS: String(status), BODY: body, CONTENT_TYPE: contentType },
    switches,
  };
  const local = await start({ server });
  const proxy = proxyTo(local, { ...env, AGENTCORE_RETRIES: '0' });
  return { local, proxy, env };
}

async function listed(env: Record<string, string>) {
  const { entries } = await new SessionStore(env, 'cli').read();
  return entries.map(({ state, mayBill, runtimeSessionId }) => ({
    state,
    mayBill,
    runtimeSessionId,
  }));
}

const JSON_TYPE = 'application/json';

describe('a request that the server in the microVM rejects', () => {
  it.each<[string, number, string, string, object]>([
    [
      'is passed on as the JSON-RPC error',
      403,
      jsonRpc(1, -32000, 'Invalid Host: example.com'),
      JSON_TYPE,
      { code: -32000, message: 'Invalid Host: example.com' },
    ],
    [
      'is passed on as its JSON-RPC error, even with a code of AgentCore',
      401,
      jsonRpc(null, -32001, 'Invalid Host: example.com'),
      JSON_TYPE,
      { code: -32001, message: 'Invalid Host: example.com' },
    ],
    [
      'is quoted if the answer is plain text',
      403,
      'Invalid Host header',
      'text/plain',
      {
        message:
          "The MCP server in the runtime refused the request (HTTP 403: Invalid Host header): check the server's settings and its CloudWatch logs",
      },
    ],
    [
      'is quoted if the answer is an OAuth error',
      401,
      JSON.stringify({ error: 'invalid_token', error_description: 'The token has expired' }),
      JSON_TYPE,
      { message: expect.stringContaining('The token has expired') },
    ],
  ])('%s, and the session is stopped at the end', async (_, status, body, contentType, error) => {
    const { local, proxy, env } = await startRefused({ status, body, contentType });
    const answer = await proxy.initialize();
    expect(answer.error).toMatchObject(error);
    expect(JSON.stringify(answer)).not.toMatch(/credentials|AGENTCORE_AUTH|InvokeAgentRuntime/);
    expect(running(local)).toBe(1);
    await expect.poll(() => listed(env)).toMatchObject([{ mayBill: true }]);
    expect(await proxy.close()).toEqual({ code: 0, signal: null });
    expect(running(local)).toBe(0);
    expect(await listed(env)).toMatchObject([{ state: 'stopped' }]);
  });

  it('is passed on if answers name no runtime session', async () => {
    const body = jsonRpc(1, -32000, 'Invalid Host');
    const { local, proxy } = await startRefused(
      { status: 403, body, contentType: JSON_TYPE },
      { returnRuntimeSessionId: false },
    );
    const { error } = await proxy.initialize();
    expect(error).toMatchObject({ code: -32000, message: 'Invalid Host' });
    await proxy.close();
    expect(running(local)).toBe(0);
  });
});

it('every microVM is stopped if the client initializes again after each rejection', async () => {
  const body = jsonRpc(null, -32000, 'Invalid Host');
  const { local, proxy } = await startRefused({ status: 403, body, contentType: JSON_TYPE });
  for (let attempt = 0; attempt < 3; attempt++) await proxy.initialize();
  expect(local.microVms.length).toBeGreaterThan(1);
  await proxy.close();
  expect(running(local)).toBe(0);
});

describe('an error of AgentCore itself', () => {
  const refusals: [string, SwitchesInput][] = [
    ['access-denied', {}],
    ['validation', {}],
    ['not-found', { mcpErrors: 'status' }],
  ];

  async function refused(error: string, switches: SwitchesInput) {
    const started = await startRefused({ status: 200, body: '', contentType: JSON_TYPE }, switches);
    const { local, proxy, env } = started;
    local.faults.inject({ kind: 'platform-error', error: error as 'validation', times: 'always' });
    const answer = await proxy.initialize();
    expect(answer.error).toBeDefined();
    return { local, proxy, env, answer };
  }

  it.each(refusals)('starts no session: %s', async (error, switches) => {
    const { local, proxy, env } = await refused(error, switches);
    await expect.poll(() => listed(env)).toEqual([]);
    await proxy.close();
    expect(local.requests.filter(({ operation }) => operation === 'stop')).toEqual([]);
    expect(await listed(env)).toEqual([]);
  });

  it.each(refusals)('may have started a session if it names one: %s', async (error, switches) => {
    const { local, proxy, env, answer } = await refused(error, {
      ...switches,
      sessionIdOnRefusals: true,
    });
    if (error === 'access-denied') expect(answer.error.message).toMatch(/InvokeAgentRuntime/);
    await expect.poll(() => listed(env)).toMatchObject([{ mayBill: true, state: 'idle' }]);
    await proxy.close();
    expect(local.requests.some(({ operation }) => operation === 'stop')).toBe(true);
  });
});
