import {
  BedrockAgentCoreClient,
  InvokeAgentRuntimeCommand,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import {
  BedrockAgentCoreControlClient,
  GetGatewayCommand,
  ListAgentRuntimesCommand,
  ListGatewaysCommand,
  ListGatewayTargetsCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  httpAgent,
  INITIALIZE,
  INVENTED_ID,
  poster,
  read,
  signingFetch,
  start,
  statelessMcp,
} from './harness.ts';

const READER = 'arn:aws:iam::123456789012:user/reader';
const STRANGER = 'arn:aws:iam::210987654321:user/stranger';
const KEY = { accessKeyId: 'AKIAREADERXXXEXAMPLE', secretAccessKey: 'not-a-secret' };

type Policies = Pick<NonNullable<LocalConfig['accessKeys']>[number], 'allowed' | 'denied'>;

/** A local AgentCore with an agent, a server and a gateway, and one key with these policies. */
function withPolicies(
  policies: Policies,
  { principal = READER, trustedPrincipals = [] as string[] } = {},
) {
  const { accessKeyId: id, secretAccessKey: secret } = KEY;
  return start(
    { agent: httpAgent({ trustedPrincipals }), notes: statelessMcp() },
    { accessKeys: [{ id, secret, principal, ...policies }], gateways: { tools: {} } },
  );
}

function clientOptions({ url: endpoint, region }: LocalRuntime) {
  return { endpoint, region, credentials: KEY, maxAttempts: 1 };
}

function dataPlane(local: LocalRuntime): BedrockAgentCoreClient {
  const client = new BedrockAgentCoreClient(clientOptions(local));
  onTestFinished(() => client.destroy());
  return client;
}

function control(local: LocalRuntime): BedrockAgentCoreControlClient {
  const client = new BedrockAgentCoreControlClient(clientOptions(local));
  onTestFinished(() => client.destroy());
  return client;
}

function invoke(local: LocalRuntime, more: object = {}) {
  const agentRuntimeArn = local.runtime('agent').arn;
  return dataPlane(local).send(
    new InvokeAgentRuntimeCommand({ agentRuntimeArn, payload: Buffer.from('{}'), ...more }),
  );
}

/** Operations by the IAM action that they require. */
const OPERATIONS = {
  InvokeAgentRuntime: (local: LocalRuntime) => invoke(local),
  StopRuntimeSession: async (local: LocalRuntime) =>
    dataPlane(local).send(
      new StopRuntimeSessionCommand({
        agentRuntimeArn: local.runtime('agent').arn,
        runtimeSessionId: INVENTED_ID,
      }),
    ),
  ListAgentRuntimes: (local: LocalRuntime) => control(local).send(new ListAgentRuntimesCommand({})),
  ListGateways: (local: LocalRuntime) => control(local).send(new ListGatewaysCommand({})),
  GetGateway: (local: LocalRuntime) =>
    control(local).send(
      new GetGatewayCommand({ gatewayIdentifier: local.gateway('tools').gatewayId }),
    ),
  ListGatewayTargets: (local: LocalRuntime) =>
    control(local).send(
      new ListGatewayTargetsCommand({ gatewayIdentifier: local.gateway('tools').gatewayId }),
    ),
} as const;

const RESOURCES: Record<keyof typeof OPERATIONS, (local: LocalRuntime) => string> = {
  InvokeAgentRuntime: (local) => local.runtime('agent').arn,
  StopRuntimeSession: (local) => local.runtime('agent').arn,
  ListAgentRuntimes: () => 'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/*',
  ListGateways: () => 'arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/*',
  GetGateway: (local) => local.gateway('tools').arn,
  ListGatewayTargets: (local) => local.gateway('tools').arn,
};

const NAMES = Object.keys(OPERATIONS) as (keyof typeof OPERATIONS)[];

describe.each(NAMES)('%s', (name) => {
  const action = `bedrock-agentcore:${name}`;

  function refused(local: LocalRuntime, cause: string) {
    return {
      name: 'AccessDeniedException',
      message: `User: ${READER} is not authorized to perform: ${action} on resource: ${RESOURCES[name](local)} ${cause}`,
      $metadata: expect.objectContaining({ httpStatusCode: 403 }),
    };
  }

  test('is denied by an explicit deny, despite any allow', async () => {
    const local = await withPolicies({ allowed: ['*'], denied: [action] });
    await expect(OPERATIONS[name](local)).rejects.toMatchObject(
      refused(local, 'with an explicit deny in an identity-based policy'),
    );
    expect(local.requests.at(-1)?.refusal).toContain('explicit deny');
  });

  test('is denied if no policy mentions it', async () => {
    const local = await withPolicies({ allowed: ['sts:*'] });
    await expect(OPERATIONS[name](local)).rejects.toMatchObject(
      refused(local, `because no identity-based policy allows the ${action} action`),
    );
  });

  test('is allowed by its name and by wildcards, in upper or lower case', async () => {
    const patterns = [
      action,
      'bedrock-agentcore:*',
      `${action.slice(0, -1)}?`,
      action.toUpperCase(),
    ];
    for (const pattern of patterns) {
      const local = await withPolicies({ allowed: [pattern] });
      // There is no session to stop. Only a caller with the permission gets that error.
      const outcome = await OPERATIONS[name](local).catch((error) => error);
      expect(outcome.$metadata.httpStatusCode).toBe(name === 'StopRuntimeSession' ? 404 : 200);
    }
  });
});

test('a user id requires a separate permission', async () => {
  const local = await withPolicies({ allowed: ['bedrock-agentcore:InvokeAgentRuntime'] });
  await expect(invoke(local)).resolves.toBeDefined();
  await expect(invoke(local, { runtimeUserId: 'ada' })).rejects.toThrow(
    'is not authorized to perform: bedrock-agentcore:InvokeAgentRuntimeForUser on resource',
  );
});

test('an MCP client gets the error in the format of its protocol, without the reason', async () => {
  const local = await withPolicies({ denied: ['bedrock-agentcore:InvokeAgentRuntime'] });
  expect(await read(poster(local, 'notes', KEY)(INITIALIZE))).toMatchObject({
    status: 403,
    json: {
      id: 1,
      error: { code: -32002, message: 'Authorization error - Insufficient permissions' },
    },
  });
});

describe('a caller of another account', () => {
  test('requires the permission of the resource in addition to its own policies', async () => {
    const local = await withPolicies({}, { principal: STRANGER });
    await expect(invoke(local)).rejects.toThrow(
      'because no resource-based policy allows the bedrock-agentcore:InvokeAgentRuntime action',
    );
    await expect(OPERATIONS.ListAgentRuntimes(local)).rejects.toThrow(
      'because no resource-based policy allows the bedrock-agentcore:ListAgentRuntimes action',
    );
  });

  test.each([STRANGER, '210987654321', '*'])(
    'has that permission if the runtime trusts %s',
    async (name) => {
      const local = await withPolicies({}, { principal: STRANGER, trustedPrincipals: [name] });
      await expect(invoke(local)).resolves.toMatchObject({ statusCode: 200 });
    },
  );
});

test('a caller who may not invoke a gateway gets an error, and the log contains the reason', async () => {
  const local = await withPolicies({ denied: ['bedrock-agentcore:InvokeGateway'] });
  const { url, arn } = local.gateway('tools');
  const body = JSON.stringify(INITIALIZE);
  const headers = { 'content-type': 'application/json' };
  const answer = await read(signingFetch(local, KEY)(url, { method: 'POST', headers, body }));
  expect(answer).toMatchObject({ status: 403, json: { error: { code: -32002 } } });
  expect(local.requests.at(-1)?.refusal).toBe(
    `User: ${READER} is not authorized to perform: bedrock-agentcore:InvokeGateway on resource: ${arn} with an explicit deny in an identity-based policy`,
  );
});
