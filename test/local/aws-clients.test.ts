import {
  BedrockAgentCoreClient,
  InvokeAgentRuntimeCommand,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  httpAgent,
  INITIALIZE,
  INVENTED_ID,
  isAlive,
  poster,
  RUNTIME_SESSION,
  read,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
} from './harness.ts';

const ROLE = 'arn:aws:iam::123456789012:role/Reader';

function agentCore(local: LocalRuntime, credentials = local.credentials): BedrockAgentCoreClient {
  const client = new BedrockAgentCoreClient({
    endpoint: local.url,
    region: local.region,
    credentials,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

function sts(local: LocalRuntime, credentials = local.credentials): STSClient {
  const client = new STSClient({
    endpoint: local.url,
    region: local.region,
    credentials,
    maxAttempts: 1,
  });
  onTestFinished(() => client.destroy());
  return client;
}

function invocation(local: LocalRuntime, name: string, payload: unknown, more: object = {}) {
  return new InvokeAgentRuntimeCommand({
    agentRuntimeArn: local.runtime(name).arn,
    contentType: 'application/json',
    accept: 'application/json, text/event-stream',
    payload: Buffer.from(JSON.stringify(payload)),
    ...more,
  });
}

describe('the AWS data plane client', () => {
  test('invokes an MCP runtime and reads its session ids', async () => {
    const local = await start({ notes: statelessMcp() });
    const output = await agentCore(local).send(
      invocation(local, 'notes', INITIALIZE, {
        qualifier: 'DEFAULT',
        runtimeSessionId: INVENTED_ID,
      }),
    );
    expect(output).toMatchObject({
      statusCode: 200,
      contentType: 'application/json',
      runtimeSessionId: INVENTED_ID,
      mcpSessionId: expect.stringMatching(/./),
    });
    expect(JSON.parse((await output.response?.transformToString()) ?? '')).toMatchObject({
      id: 1,
      result: { serverInfo: { name: 'fixture' } },
    });
  });

  test('invokes by id and account, and by the ARN of an endpoint', async () => {
    const local = await start({ notes: statelessMcp() });
    const { arn, runtimeId } = local.runtime('notes');
    const byId = { agentRuntimeArn: runtimeId, accountId: local.account };
    const byEndpoint = { agentRuntimeArn: `${arn}/runtime-endpoint/DEFAULT` };
    const client = agentCore(local);
    expect((await client.send(invocation(local, 'notes', INITIALIZE, byId))).statusCode).toBe(200);
    expect((await client.send(invocation(local, 'notes', INITIALIZE, byEndpoint))).statusCode).toBe(
      200,
    );
  });

  test('gets an error if a runtime, an endpoint or an account does not exist', async () => {
    const local = await start({ notes: statelessMcp(), agent: httpAgent() });
    const client = agentCore(local);
    const { arn, runtimeId } = local.runtime('agent');
    for (const wrong of [
      { agentRuntimeArn: `${arn}x` },
      { qualifier: 'NOWHERE' },
      { agentRuntimeArn: runtimeId, accountId: '999999999999' },
      { agentRuntimeArn: runtimeId },
    ]) {
      await expect(client.send(invocation(local, 'agent', {}, wrong))).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
        $metadata: { httpStatusCode: 404 },
        message: expect.stringContaining('No endpoint or agent found with qualifier'),
      });
    }
  });

  test('streams from an HTTP agent', async () => {
    const local = await start({ agent: httpAgent() });
    const output = await agentCore(local).send(invocation(local, 'agent', { stream: 2 }));
    expect(output.contentType).toBe('text/event-stream');
    expect(await output.response?.transformToString()).toBe('data: 1\n\ndata: 2\n\n');
  });

  test('stops a session by the returned runtime session id, and its process exits', async () => {
    const local = await start({ notes: statefulMcp() });
    const client = agentCore(local);
    const { runtimeSessionId } = await client.send(invocation(local, 'notes', INITIALIZE));
    const { pid } = local.sessions()[0] ?? {};
    expect(isAlive(pid)).toBe(true);
    const agentRuntimeArn = local.runtime('notes').arn;
    const stop = new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId });
    expect(await client.send(stop)).toMatchObject({ statusCode: 200, runtimeSessionId });
    expect(isAlive(pid)).toBe(false);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped', why: 'stop-runtime-session' }]);
  });

  test('gets an error for a session that has ended or never existed', async () => {
    const local = await start({ notes: statefulMcp() });
    const client = agentCore(local);
    const { runtimeSessionId } = await client.send(invocation(local, 'notes', INITIALIZE));
    const agentRuntimeArn = local.runtime('notes').arn;
    await client.send(new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId }));
    for (const id of [runtimeSessionId, INVENTED_ID]) {
      const again = new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId: id });
      await expect(client.send(again)).rejects.toMatchObject({
        name: 'ResourceNotFoundException',
        $metadata: { httpStatusCode: 404 },
      });
    }
  });

  test('gets the same answer to a stop with the same client token', async () => {
    const local = await start({ notes: statefulMcp() });
    const client = agentCore(local);
    const { runtimeSessionId } = await client.send(invocation(local, 'notes', INITIALIZE));
    const agentRuntimeArn = local.runtime('notes').arn;
    const clientToken = 'a-client-token-of-at-least-33-characters';
    const stop = { agentRuntimeArn, runtimeSessionId, clientToken };
    await client.send(new StopRuntimeSessionCommand(stop));
    expect(await client.send(new StopRuntimeSessionCommand(stop))).toMatchObject({
      statusCode: 200,
    });
  });

  test.each(['mcp-session-id', 'either'] as const)(
    'stops an MCP session by its Mcp-Session-Id with stopBy: %s',
    async (stopBy) => {
      const local = await start({ notes: statefulMcp({ switches: { stopBy } }) });
      const client = agentCore(local);
      const { mcpSessionId, runtimeSessionId } = await client.send(
        invocation(local, 'notes', INITIALIZE),
      );
      const agentRuntimeArn = local.runtime('notes').arn;
      const wrong = new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId });
      if (stopBy === 'mcp-session-id') {
        await expect(client.send(wrong)).rejects.toMatchObject({
          name: 'ResourceNotFoundException',
        });
      }
      const right = { agentRuntimeArn, runtimeSessionId: mcpSessionId };
      await client.send(new StopRuntimeSessionCommand(right));
      expect(local.sessions()).toMatchObject([{ state: 'Stopped' }]);
    },
  );

  test('stops every microVM of a shared runtime session id', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    await read(post(INITIALIZE, { [RUNTIME_SESSION]: INVENTED_ID }));
    await read(post(INITIALIZE, { [RUNTIME_SESSION]: INVENTED_ID }));
    const agentRuntimeArn = local.runtime('notes').arn;
    const stop = new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId: INVENTED_ID });
    await agentCore(local).send(stop);
    expect(local.sessions()).toMatchObject([{ state: 'Stopped' }, { state: 'Stopped' }]);
  });

  test('gets a successful stop while the container keeps running if the switch is set', async () => {
    const local = await start({
      notes: statefulMcp({ switches: { containerOutlivesStop: true } }),
    });
    const client = agentCore(local);
    const { runtimeSessionId } = await client.send(invocation(local, 'notes', INITIALIZE));
    const agentRuntimeArn = local.runtime('notes').arn;
    await client.send(new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId }));
    const [session] = local.sessions();
    expect(session).toMatchObject({ state: 'Stopped' });
    expect(isAlive(session?.pid)).toBe(true);
  });

  test('maps platform errors to their modelled exceptions', async () => {
    const local = await start({ agent: httpAgent() });
    const kinds = [
      ['throttled', 'ThrottlingException', 429],
      ['quota-exceeded', 'ServiceQuotaExceededException', 402],
      ['validation', 'ValidationException', 400],
      ['access-denied', 'AccessDeniedException', 403],
      ['container-failed', 'RuntimeClientError', 424],
      ['retryable-conflict', 'RetryableConflictException', 409],
      ['internal', 'InternalServerException', 500],
    ] as const;
    const client = agentCore(local);
    for (const [error, name, httpStatusCode] of kinds) {
      local.faults.inject({ kind: 'platform-error', error });
      await expect(client.send(invocation(local, 'agent', {}))).rejects.toMatchObject({
        name,
        $metadata: { httpStatusCode },
      });
    }
  });
});

describe('the AWS STS client', () => {
  test('gets the caller identity', async () => {
    const local = await start({ notes: statelessMcp() });
    expect(await sts(local).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '123456789012',
      Arn: 'arn:aws:iam::123456789012:user/developer',
      UserId: expect.stringMatching(/^AIDA[A-Z2-7]{17}$/),
    });
  });

  test('assumes a role whose credentials then sign invocations', async () => {
    const local = await start({ notes: statelessMcp() }, { roles: [{ arn: ROLE }] });
    const { Credentials, AssumedRoleUser } = await sts(local).send(
      new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'test-run' }),
    );
    const Arn = 'arn:aws:sts::123456789012:assumed-role/Reader/test-run';
    expect(AssumedRoleUser).toMatchObject({ Arn });
    expect(Credentials?.Expiration?.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
    const credentials = {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    };
    expect(await sts(local, credentials).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Arn,
    });
    const output = await agentCore(local, credentials).send(invocation(local, 'notes', INITIALIZE));
    expect(output.statusCode).toBe(200);
  });

  test('cannot assume a role that is unknown, trusts others, or requires another external ID', async () => {
    const strangers = 'arn:aws:iam::123456789012:role/Strangers';
    const external = 'arn:aws:iam::123456789012:role/External';
    const local = await start(
      { notes: statelessMcp() },
      {
        roles: [
          { arn: strangers, trustedPrincipals: ['arn:aws:iam::123456789012:user/somebody'] },
          { arn: external, externalId: 'the-right-one' },
        ],
      },
    );
    const client = sts(local);
    const RoleSessionName = 'test';
    for (const input of [
      { RoleArn: ROLE },
      { RoleArn: strangers },
      { RoleArn: external, ExternalId: 'a-wrong-one' },
    ]) {
      const command = new AssumeRoleCommand({ ...input, RoleSessionName });
      await expect(client.send(command)).rejects.toMatchObject({
        name: 'AccessDenied',
        $metadata: { httpStatusCode: 403 },
        message: expect.stringContaining('is not authorized to perform: sts:AssumeRole'),
      });
    }
    const right = { RoleArn: external, ExternalId: 'the-right-one', RoleSessionName };
    expect(await client.send(new AssumeRoleCommand(right))).toHaveProperty('Credentials');
  });

  test('gets a validation error for an invalid role ARN, session name or duration', async () => {
    const local = await start({ notes: statelessMcp() }, { roles: [{ arn: ROLE }] });
    const client = sts(local);
    for (const input of [
      { RoleArn: 'not-an-arn-of-any-kind-at-all', RoleSessionName: 'test' },
      { RoleArn: ROLE, RoleSessionName: 'with space & <angle>' },
      { RoleArn: ROLE, RoleSessionName: 'test', DurationSeconds: 60 },
    ]) {
      await expect(client.send(new AssumeRoleCommand(input))).rejects.toMatchObject({
        name: 'ValidationError',
        $metadata: { httpStatusCode: 400 },
      });
    }
  });

  test('gets the STS error for a wrong secret', async () => {
    const local = await start({ notes: statelessMcp() });
    const wrong = { ...local.credentials, secretAccessKey: 'wrong' };
    await expect(sts(local, wrong).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
      $metadata: { httpStatusCode: 403 },
    });
  });

  test('can be throttled', async () => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ operation: 'sts', kind: 'throttle', method: 'GetCallerIdentity' });
    await expect(sts(local).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'Throttling',
    });
  });
});

test('a session can be stopped during a call, which then fails', async () => {
  const local = await start({ notes: statefulMcp() });
  const post = poster(local, 'notes');
  const { headers } = await read(post(INITIALIZE));
  const open = read(
    post(toolCall('hang'), { 'mcp-session-id': headers.get('mcp-session-id') ?? '' }),
  );
  await local.until(() => local.sessions()[0]?.state === 'Active');
  const runtimeSessionId = headers.get(RUNTIME_SESSION) ?? '';
  const agentRuntimeArn = local.runtime('notes').arn;
  await agentCore(local).send(new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId }));
  expect(await open).toMatchObject({ status: 200, json: { error: { code: -32010 } } });
});
