import {
  BedrockAgentCoreClient,
  InvokeAgentRuntimeCommand,
  StopRuntimeSessionCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
  GetGatewayCommand,
  ListAgentRuntimeEndpointsCommand,
  ListAgentRuntimesCommand,
  ListAgentRuntimeVersionsCommand,
  ListGatewaysCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseGatewayArn, parseRuntimeArn } from '../../../src/aws/arn.ts';
import type { PolicyDocument, Statement } from '../../../src/aws/iam/policies.ts';
import {
  createAccessPolicy,
  createCallerPolicy,
  type Needs,
} from '../../../src/aws/iam/policies.ts';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import { httpAgent, start } from '../../local/harness.ts';

const HOME = 'arn:aws:bedrock-agentcore:us-east-1:123456789012';
const ROLE = 'arn:aws:iam::123456789012:role/Caller';
const SESSION = 'a-session-of-the-policies-0123456789-abcdef';
const ALL: Needs = { stop: true, userId: true, list: true };
const LEAST: Needs = { stop: false, userId: false, list: false };

/** The ARNs that the local AgentCore assigns to these names, always the same ones. */
async function named() {
  const local = await serve([]);
  const target = { runtime: parseRuntimeArn(local.runtime('agent').arn) };
  const gateway = parseGatewayArn(local.gateway('tools').arn);
  return { target, gateway, targets: { runtimes: [target], gateways: [gateway] } };
}

/** A local AgentCore whose only caller has exactly the permissions of these statements. */
function serve(statements: readonly Statement[]): Promise<LocalRuntime> {
  const allowed = statements.flatMap(({ Action }) => [Action].flat());
  return start(
    { agent: httpAgent() },
    {
      accessKeys: [{ id: 'AKIAPOLICYXXXEXAMPLE', secret: 'a-secret', allowed }],
      roles: [{ arn: ROLE, trustedPrincipals: ['123456789012'], sourceIdentity: true }],
      gateways: { tools: {} },
    },
  );
}

/** All calls of the programs, by IAM action. */
function uses(local: LocalRuntime): Record<string, () => Promise<unknown>> {
  const settings = {
    endpoint: local.url,
    region: local.region,
    credentials: local.credentials,
    maxAttempts: 1,
  };
  const data = new BedrockAgentCoreClient(settings);
  const control = new BedrockAgentCoreControlClient(settings);
  const sts = new STSClient(settings);
  onTestFinished(() => {
    for (const client of [data, control, sts]) client.destroy();
  });
  const { arn: agentRuntimeArn, runtimeId: agentRuntimeId } = local.runtime('agent');
  const gatewayIdentifier = local.gateway('tools').arn.split('/')[1] ?? '';
  const invoke = (runtimeUserId?: string) =>
    data.send(
      new InvokeAgentRuntimeCommand({
        agentRuntimeArn,
        runtimeSessionId: SESSION,
        payload: Buffer.from('{}'),
        ...(runtimeUserId && { runtimeUserId }),
      }),
    );
  const assume = (SourceIdentity?: string) =>
    sts.send(new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'a-test', SourceIdentity }));
  return {
    'bedrock-agentcore:InvokeAgentRuntime': () => invoke(),
    'bedrock-agentcore:InvokeAgentRuntimeForUser': () => invoke('ada'),
    'bedrock-agentcore:StopRuntimeSession': () =>
      data.send(new StopRuntimeSessionCommand({ agentRuntimeArn, runtimeSessionId: SESSION })),
    'bedrock-agentcore:GetAgentRuntime': () =>
      control.send(new GetAgentRuntimeCommand({ agentRuntimeId })),
    'bedrock-agentcore:GetGateway': () =>
      control.send(new GetGatewayCommand({ gatewayIdentifier })),
    'bedrock-agentcore:ListAgentRuntimes': () => control.send(new ListAgentRuntimesCommand({})),
    'bedrock-agentcore:ListAgentRuntimeEndpoints': () =>
      control.send(new ListAgentRuntimeEndpointsCommand({ agentRuntimeId })),
    'bedrock-agentcore:ListAgentRuntimeVersions': () =>
      control.send(new ListAgentRuntimeVersionsCommand({ agentRuntimeId })),
    'bedrock-agentcore:ListGateways': () => control.send(new ListGatewaysCommand({})),
    'sts:AssumeRole': () => assume(),
    'sts:SetSourceIdentity': () => assume('ada'),
  };
}

function actionsOf({ Statement }: PolicyDocument): string[] {
  return Statement.flatMap(({ Action }) => [Action].flat());
}

/** The actions of a policy that no SDK call to the local AgentCore exercises. */
const BY_OTHER_MEANS = ['bedrock-agentcore:InvokeGateway'];

/** Tries every call with exactly this policy, then with each policy that lacks one statement. */
async function expectToBeTheLeast(policy: PolicyDocument): Promise<void> {
  const wanted = actionsOf(policy).filter((action) => !BY_OTHER_MEANS.includes(action));
  const whole = uses(await serve(policy.Statement));
  for (const action of wanted) await whole[action]?.();
  for (const [action, use] of Object.entries(whole)) {
    if (!wanted.includes(action)) await expect(use()).rejects.toThrow(`not authorized to perform`);
  }
  for (const left of policy.Statement) {
    const rest = policy.Statement.filter((statement) => statement !== left);
    const less = uses(await serve(rest));
    for (const action of [left.Action].flat()) {
      if (!less[action]) continue;
      await expect(less[action]()).rejects.toThrow(`not authorized to perform: ${action}`);
    }
  }
}

describe('the IAM policy for invoking', () => {
  it.each([
    ['all there is', ALL],
    ['nothing but invoking', LEAST],
    ['stopping too', { ...LEAST, stop: true }],
  ])('allows %s, and does not with any one statement removed', async (_, needs) => {
    const { targets } = await named();
    await expectToBeTheLeast(createAccessPolicy(targets, needs));
  });

  it('names the invoked runtime and endpoint, and no other', async () => {
    const runtime = parseRuntimeArn(`${HOME}:runtime/server-k5qkx7arw0`);
    const [policy, prod] = [undefined, 'prod'].map((qualifier) =>
      createAccessPolicy(
        { runtimes: [{ runtime, qualifier }], gateways: [] },
        { ...LEAST, stop: true },
      ),
    );
    expect(policy?.Statement.map(({ Sid, Resource }) => [Sid, Resource])).toEqual([
      ['InvokeRuntimes', [runtime.arn, `${runtime.arn}/runtime-endpoint/DEFAULT`]],
      ['ReadRuntimes', runtime.arn],
      ['StopSessions', [runtime.arn, `${runtime.arn}/runtime-endpoint/DEFAULT`]],
    ]);
    expect(prod?.Statement[0]?.Resource).toEqual([
      runtime.arn,
      `${runtime.arn}/runtime-endpoint/prod`,
    ]);
  });

  it('limits list actions to the used regions, because lists have no resource ARN', () => {
    const runtimes = ['us-east-1', 'eu-west-1'].map((region) => ({
      runtime: parseRuntimeArn(
        `arn:aws:bedrock-agentcore:${region}:123456789012:runtime/a-k5qkx7arw0`,
      ),
    }));
    const { Statement } = createAccessPolicy({ runtimes, gateways: [] }, { ...LEAST, list: true });
    expect(Statement.find(({ Sid }) => Sid === 'List')).toMatchObject({
      Resource: '*',
      Condition: { StringEquals: { 'aws:RequestedRegion': ['eu-west-1', 'us-east-1'] } },
    });
    expect(Statement.find(({ Sid }) => Sid === 'ReadAllRuntimes')?.Resource).toEqual([
      'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/*',
      'arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/*',
    ]);
  });

  it('has unique Sids that IAM accepts', async () => {
    const { targets } = await named();
    const sids = createAccessPolicy(targets, ALL).Statement.map(({ Sid }) => Sid);
    expect(new Set(sids).size).toBe(sids.length);
    for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/);
  });
});

describe('the policy of a caller that assumes a role', () => {
  it.each([false, true])(
    'allows only assuming that role (source identity: %s)',
    async (sourceIdentity) => {
      const { targets } = await named();
      await expectToBeTheLeast(createCallerPolicy(targets, ALL, { roles: [ROLE], sourceIdentity }));
    },
  );
});
