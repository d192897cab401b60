import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
  ListAgentRuntimeEndpointsCommand,
  ListAgentRuntimesCommand,
  ListAgentRuntimeVersionsCommand,
  paginateListAgentRuntimeEndpoints,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { httpAgent, poster, read, signingFetch, start, statelessMcp, toolCall } from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const ROLE = 'arn:aws:iam::123456789012:role/Reader';

function control(local: LocalRuntime, credentials = local.credentials) {
  const client = new BedrockAgentCoreControlClient({
    endpoint: local.url,
    region: local.region,
    credentials,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

function get(local: LocalRuntime, name: string, agentRuntimeVersion?: string) {
  const { runtimeId } = local.runtime(name);
  return new GetAgentRuntimeCommand({ agentRuntimeId: runtimeId, agentRuntimeVersion });
}

describe('GetAgentRuntime', () => {
  test('returns the facts that clients need of a runtime', async () => {
    const before = Date.now();
    const local = await start({ notes: statelessMcp({ requestHeaderAllowlist: ['x-team'] }) });
    const { arn, runtimeId } = local.runtime('notes');
    const told = await control(local).send(get(local, 'notes', '1'));
    expect(told).toMatchObject({
      agentRuntimeArn: arn,
      agentRuntimeId: runtimeId,
      agentRuntimeName: 'notes',
      agentRuntimeVersion: '1',
      status: 'READY',
      roleArn: 'arn:aws:iam::123456789012:role/AgentCoreLocal-notes',
      lifecycleConfiguration: { idleRuntimeSessionTimeout: 900, maxLifetime: 28_800 },
      networkConfiguration: { networkMode: 'PUBLIC' },
      protocolConfiguration: { serverProtocol: 'MCP' },
      requestHeaderConfiguration: { requestHeaderAllowlist: ['x-team'] },
    });
    expect(told.authorizerConfiguration).toBeUndefined();
    expect(told.createdAt?.getTime()).toBeGreaterThanOrEqual(before);
    expect(told.lastUpdatedAt).toEqual(told.createdAt);
  });

  test('returns the configured protocol and session limits, in whole seconds', async () => {
    const local = await start({ agent: httpAgent({ idleTimeout: 0.5, maxLifetime: 60.2 }) });
    expect(await control(local).send(get(local, 'agent'))).toMatchObject({
      lifecycleConfiguration: { idleRuntimeSessionTimeout: 1, maxLifetime: 61 },
      protocolConfiguration: { serverProtocol: 'HTTP' },
    });
  });

  test('never returns the environment or the command', async () => {
    const local = await start({ notes: statelessMcp({ env: { TOKEN: 'a-secret-of-mine' } }) });
    const told = await control(local).send(get(local, 'notes'));
    expect(told.environmentVariables).toBeUndefined();
    expect(JSON.stringify(told)).not.toMatch(/a-secret-of-mine|mcp-server/);
  });

  test('returns an error for an unknown runtime or version', async () => {
    const local = await start({ notes: statelessMcp() });
    const nowhere = new GetAgentRuntimeCommand({ agentRuntimeId: 'others-0123456789' });
    for (const command of [nowhere, get(local, 'notes', '2')]) {
      await expect(control(local).send(command)).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
        message: expect.stringContaining('was not found'),
        $metadata: { httpStatusCode: 404 },
      });
    }
    await expect(control(local).send(get(local, 'notes', 'newest'))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('the lists of the control plane', () => {
  test('return all runtimes at once', async () => {
    const local = await start({ notes: statelessMcp(), agent: httpAgent() });
    const { agentRuntimes, nextToken } = await control(local).send(
      new ListAgentRuntimesCommand({}),
    );
    expect(agentRuntimes).toMatchObject(
      ['notes', 'agent'].map((name) => ({
        agentRuntimeArn: local.runtime(name).arn,
        agentRuntimeId: local.runtime(name).runtimeId,
        agentRuntimeName: name,
        agentRuntimeVersion: '1',
        status: 'READY',
        description: expect.any(String),
        lastUpdatedAt: expect.any(Date),
      })),
    );
    expect(nextToken).toBeUndefined();
  });

  test('return the endpoints of a runtime, with their versions', async () => {
    const local = await start({ notes: statelessMcp({ endpoints: ['DEFAULT', 'beta'] }) });
    const { arn, runtimeId } = local.runtime('notes');
    const config = { client: control(local), pageSize: 1 };
    const endpoints: unknown[] = [];
    for await (const page of paginateListAgentRuntimeEndpoints(config, {
      agentRuntimeId: runtimeId,
    })) {
      endpoints.push(...(page.runtimeEndpoints ?? []));
    }
    expect(endpoints).toMatchObject(
      ['DEFAULT', 'beta'].map((name) => ({
        name,
        liveVersion: '1',
        status: 'READY',
        agentRuntimeArn: arn,
        agentRuntimeEndpointArn: `${arn}/runtime-endpoint/${name}`,
        createdAt: expect.any(Date),
      })),
    );
  });

  test('return the only version of a runtime', async () => {
    const local = await start({ notes: statelessMcp() });
    const { runtimeId } = local.runtime('notes');
    const versions = new ListAgentRuntimeVersionsCommand({ agentRuntimeId: runtimeId });
    expect((await control(local).send(versions)).agentRuntimes).toMatchObject([
      { agentRuntimeId: runtimeId, agentRuntimeVersion: '1' },
    ]);
  });

  test('return an error for an unknown runtime', async () => {
    const local = await start({ notes: statelessMcp() });
    const agentRuntimeId = 'others-0123456789';
    const missing = { name: 'ResourceNotFoundException' };
    const client = control(local);
    await expect(
      client.send(new ListAgentRuntimeEndpointsCommand({ agentRuntimeId })),
    ).rejects.toMatchObject(missing);
    await expect(
      client.send(new ListAgentRuntimeVersionsCommand({ agentRuntimeId })),
    ).rejects.toMatchObject(missing);
  });
});

describe('the control plane rejects', () => {
  test('a wrong signature', async () => {
    const local = await start({ notes: statelessMcp() });
    const wrong = { ...local.credentials, secretAccessKey: 'not-the-secret' };
    await expect(control(local, wrong).send(get(local, 'notes'))).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      $metadata: { httpStatusCode: 403 },
    });
  });

  test('a request that is unsigned or signed for another service', async () => {
    const local = await start({ notes: statelessMcp() });
    const url = `${local.url}/runtimes/?maxResults=5`;
    expect((await fetch(url, { method: 'POST' })).status).toBe(403);
    const sts = signingFetch(local, { service: 'sts' });
    expect((await sts(url, { method: 'POST' })).status).toBe(403);
    expect((await signingFetch(local)(url, { method: 'POST' })).status).toBe(200);
  });

  test.each([
    'GetAgentRuntime',
    'ListAgentRuntimes',
    'ListAgentRuntimeEndpoints',
    'ListAgentRuntimeVersions',
  ])('%s without permission', async (operation) => {
    const denied = [`bedrock-agentcore:${operation}`];
    const local = await start(
      { notes: statelessMcp() },
      { accessKeys: [{ id: 'AKIAREADERXXXEXAMPLE', secret: 'secret', principal: ROLE, denied }] },
    );
    const agentRuntimeId = local.runtime('notes').runtimeId;
    const client = control(local);
    const calls = {
      GetAgentRuntime: () => client.send(get(local, 'notes')),
      ListAgentRuntimes: () => client.send(new ListAgentRuntimesCommand({})),
      ListAgentRuntimeEndpoints: () =>
        client.send(new ListAgentRuntimeEndpointsCommand({ agentRuntimeId })),
      ListAgentRuntimeVersions: () =>
        client.send(new ListAgentRuntimeVersionsCommand({ agentRuntimeId })),
    };
    for (const [name, call] of Object.entries(calls)) {
      if (name !== operation) {
        await expect(call()).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
        continue;
      }
      await expect(call()).rejects.toMatchObject({
        name: 'AccessDeniedException',
        message: expect.stringContaining(`${ROLE} is not authorized to perform: ${denied[0]}`),
      });
    }
  });

  test('more calls a second than the switches allow, for each list separately', async () => {
    const clock = new ManualClock();
    const local = await start(
      { notes: statelessMcp() },
      { switches: { maxListsPerSecond: 1, maxGetsPerSecond: 2 } },
      { clock },
    );
    const agentRuntimeId = local.runtime('notes').runtimeId;
    const client = control(local);
    const throttled = { name: 'ThrottlingException', $metadata: { httpStatusCode: 429 } };
    await client.send(new ListAgentRuntimesCommand({}));
    await expect(client.send(new ListAgentRuntimesCommand({}))).rejects.toMatchObject(throttled);
    await client.send(new ListAgentRuntimeVersionsCommand({ agentRuntimeId }));
    await client.send(get(local, 'notes'));
    await client.send(get(local, 'notes'));
    await expect(client.send(get(local, 'notes'))).rejects.toMatchObject(throttled);
    clock.advance(1000);
    await client.send(new ListAgentRuntimesCommand({}));
  });

  test('unknown operations', async () => {
    const local = await start({ notes: statelessMcp() });
    const url = `${local.url}/runtimes/${local.runtime('notes').runtimeId}/`;
    const answer = await read(signingFetch(local)(url, { method: 'DELETE' }));
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-amzn-errortype')).toBe('UnknownOperationException');
  });
});

describe('a fault of the control plane', () => {
  test('affects one API, and no invocation', async () => {
    const local = await start({ notes: statelessMcp(), agent: httpAgent() });
    const fault = local.faults.inject({
      kind: 'throttle',
      operation: 'control',
      method: 'GetAgentRuntime',
      runtime: 'agent',
    });
    const client = control(local);
    expect((await read(poster(local, 'agent')({}))).status).toBe(200);
    await client.send(new ListAgentRuntimesCommand({}));
    await client.send(get(local, 'notes'));
    await expect(client.send(get(local, 'agent'))).rejects.toMatchObject({
      name: 'ThrottlingException',
    });
    expect(fault.hits).toBe(1);
    expect(local.requests.at(-1)).toMatchObject({
      operation: 'control',
      rpcMethod: 'GetAgentRuntime',
      runtime: 'agent',
      fault: 'throttle',
      status: 429,
    });
  });

  test('is not consumed if it is for invocations', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'status', status: 503 });
    await control(local).send(get(local, 'notes'));
    expect((await read(poster(local, 'notes')(toolCall('count')))).status).toBe(503);
  });

  test('can be expired credentials', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'expired-credentials', operation: 'control' });
    await expect(control(local).send(get(local, 'notes'))).rejects.toMatchObject({
      name: 'ExpiredTokenException',
      message: 'The security token included in the request is expired',
      $metadata: { httpStatusCode: 403 },
    });
  });
});
