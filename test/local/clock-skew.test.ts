import {
  BedrockAgentCoreControlClient,
  ListAgentRuntimesCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { INITIALIZE, poster, read, start, statelessMcp } from './harness.ts';

const HOUR = 3600;

function options({ url: endpoint, region, credentials }: LocalRuntime, maxAttempts: number) {
  return { endpoint, region, credentials, maxAttempts };
}

function control(local: LocalRuntime, maxAttempts: number) {
  const client = new BedrockAgentCoreControlClient(options(local, maxAttempts));
  onTestFinished(() => client.destroy());
  return () => client.send(new ListAgentRuntimesCommand({}));
}

function sts(local: LocalRuntime, maxAttempts: number) {
  const client = new STSClient(options(local, maxAttempts));
  onTestFinished(() => client.destroy());
  return () => client.send(new GetCallerIdentityCommand({}));
}

describe.each([
  ['ahead', HOUR, /^Signature expired: \d{8}T\d{6}Z is now earlier than/],
  ['behind', -HOUR, /^Signature not yet current: \d{8}T\d{6}Z is still later than/],
])("a clock that is an hour %s of the client's", (_, clockSkew, sentence) => {
  test('rejects its signatures with the AWS error in every service', async () => {
    const local = await start({ notes: statelessMcp() }, { clockSkew });
    await expect(control(local, 1)()).rejects.toMatchObject({
      name: 'InvalidSignatureException',
      message: expect.stringMatching(sentence),
    });
    await expect(sts(local, 1)()).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
      message: expect.stringMatching(sentence),
    });
    expect(local.requests.at(-1)?.refusal).toMatch(sentence);
  });

  test('is sent in the Date header of each answer, from which the SDK corrects its clock', async () => {
    const local = await start({ notes: statelessMcp() }, { clockSkew });
    const { $metadata } = await control(local, 3)();
    expect($metadata.attempts).toBe(2);
    expect((await sts(local, 3)()).$metadata.attempts).toBe(2);
    const { headers, status } = await read(poster(local, 'notes')(INITIALIZE));
    expect(status).toBe(403);
    const told = Date.parse(headers.get('date') ?? '') - Date.now();
    expect(Math.round(told / 60_000)).toBe(clockSkew / 60);
  });
});

test('a clock can become wrong and be corrected while clients are connected', async () => {
  const local = await start({ notes: statelessMcp() });
  const list = control(local, 1);
  await list();
  local.setClockSkew(HOUR);
  await expect(list()).rejects.toMatchObject({ name: 'InvalidSignatureException' });
  local.setClockSkew(0);
  const fresh = control(local, 1);
  await expect(fresh()).resolves.toBeDefined();
});

test('a difference of less than five minutes has no effect', async () => {
  const local = await start({ notes: statelessMcp() }, { clockSkew: 280 });
  await expect(control(local, 1)()).resolves.toBeDefined();
  local.setClockSkew(-280);
  await expect(control(local, 1)()).resolves.toBeDefined();
});
