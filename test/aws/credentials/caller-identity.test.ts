import { describe, expect, it } from 'vitest';
import {
  describeMismatches,
  getCallerArn,
  type Identity,
} from '../../../src/aws/credentials/caller-identity.ts';
import { getCallability } from '../../../src/aws/discovery/callability.ts';
import type { DiscoveredGateway, DiscoveredRuntime } from '../../../src/aws/discovery/model.ts';
import { Network } from '../../../src/http/network.ts';
import { classifyFailure } from '../../../src/recovery/failure.ts';

const IDENTITY: Identity = {
  account: '123456789012',
  arn: 'arn:aws:iam::123456789012:user/ada',
  partition: 'aws',
  kind: 'user',
  name: 'ada',
  sessionName: undefined,
  profile: 'work',
  region: 'us-east-1',
  expiresAt: undefined,
  source: 'access key, profile work',
};

function arnIn(region: string, account: string, rest = 'runtime/a-k5qkx7arw0', partition = 'aws') {
  return `arn:${partition}:bedrock-agentcore:${region}:${account}:${rest}`;
}

it('reports an unreachable STS as a connection error of a call that was not sent', async () => {
  const options = { fips: false, dualStack: false, override: 'http://127.0.0.1:9' };
  const thrown = await getCallerArn({
    credentials: async () => ({ accessKeyId: 'AKIA1', secretAccessKey: 'hush' }),
    region: 'us-east-1',
    network: new Network({}),
    sts: options,
  }).catch((error: unknown) => error);
  const data = { error: 'ECONNREFUSED', outcome: 'not sent' };
  expect(thrown).toMatchObject({ code: 'connection', data });
  expect(classifyFailure({ thrown })).toMatchObject({ outcome: 'not sent', isTransient: true });
});

describe('a mismatch between runtime and credentials', () => {
  it('does not exist if account and region are the same, or if no region is known', () => {
    expect(describeMismatches(IDENTITY, arnIn('us-east-1', IDENTITY.account))).toEqual([]);
    const nowhere = { ...IDENTITY, region: undefined };
    expect(describeMismatches(nowhere, arnIn('eu-west-1', IDENTITY.account))).toEqual([]);
  });

  it('names another account, another region, or both', () => {
    const [account, region] = describeMismatches(IDENTITY, arnIn('eu-west-1', '210987654321'));
    expect(account).toMatch(
      /^The runtime is in account 210987654321, and the credentials are of 123456789012: assume a role of 210987654321, or .* policy of the runtime and of its endpoint$/,
    );
    expect(region).toMatch(/^The runtime is in eu-west-1, and your region is us-east-1: /);
    const gateway = arnIn('us-east-1', '210987654321', 'gateway/tools-abcdefghij');
    expect(describeMismatches(IDENTITY, gateway)).toEqual([
      'The gateway is in account 210987654321, and the credentials are of 123456789012: assume a role of 210987654321, or have its owner allow you in a resource policy',
    ]);
  });

  it('names only the partition if the partition differs', () => {
    const china = arnIn('cn-north-1', '210987654321', undefined, 'aws-cn');
    expect(describeMismatches(IDENTITY, china)).toEqual([
      expect.stringContaining('choose a profile of an account in aws-cn'),
    ]);
  });
});

const RUNTIME: DiscoveredRuntime = {
  kind: 'runtime',
  account: IDENTITY.account,
  region: 'us-east-1',
  arn: arnIn('us-east-1', IDENTITY.account),
  id: 'a-k5qkx7arw0',
  name: 'a',
  version: '1',
  status: 'READY',
  protocol: 'MCP',
  authorizer: 'IAM',
};

const GATEWAY: DiscoveredGateway = {
  kind: 'gateway',
  account: IDENTITY.account,
  region: 'us-east-1',
  arn: arnIn('us-east-1', IDENTITY.account, 'gateway/tools-abcdefghij'),
  id: 'tools-abcdefghij',
  name: 'tools',
  status: 'READY',
  url: 'https://tools-abcdefghij.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp',
  protocol: 'MCP',
  authorizer: 'IAM',
};

describe('the callability of', () => {
  it.each([
    ['MCP', 'IAM', 'MCP · IAM', 'yes', /through the proxy/],
    ['MCP', 'JWT', 'MCP · JWT', 'token', /bearer token/],
    ['HTTP', 'IAM', 'HTTP · IAM', 'no', /An agent, .* a signed InvokeAgentRuntime/],
    ['HTTP', 'JWT', 'HTTP · JWT', 'no', /An agent, .* a bearer token/],
    ['A2A', 'IAM', 'A2A · IAM', 'no', /agent card/],
    ['AGUI', 'JWT', 'AGUI · JWT', 'no', /AG-UI agent/],
    ['NEW', 'IAM', 'NEW · IAM', 'no', /look for an update/],
    [undefined, undefined, '? · ?', 'unknown', /allow bedrock-agentcore:GetAgentRuntime/],
  ] as const)('a runtime of %s and %s', (protocol, authorizer, kind, asServer, sentence) => {
    const use = getCallability({ ...RUNTIME, protocol, authorizer });
    expect(use).toEqual({ kind, asServer, sentence: expect.stringMatching(sentence) });
  });

  it.each([
    [{ authorizer: 'IAM' }, 'Gateway · IAM', 'yes', /through the proxy/],
    [{ authorizer: 'JWT' }, 'Gateway · JWT', 'token', /bearer token/],
    [{ authorizer: 'NONE' }, 'Gateway · NONE', 'yes', /open to anyone/],
    [{ authorizer: 'OTHER' }, 'Gateway · OTHER', 'no', /look for an update/],
    [{ protocol: 'SSH' }, 'Gateway · IAM', 'no', /speaks SSH, not MCP/],
    [{ url: undefined }, 'Gateway · IAM', 'unknown', /allow bedrock-agentcore:GetGateway/],
  ] as const)('a gateway of %j', (more, kind, asServer, sentence) => {
    const use = getCallability({ ...GATEWAY, ...more });
    expect(use).toEqual({ kind, asServer, sentence: expect.stringMatching(sentence) });
  });

  it.each([
    ['UPDATING', 'yes', /proxy/],
    ['UPDATE_FAILED', 'yes', /proxy/],
    ['CREATING', 'no', /try again in a minute/],
    ['DELETING', 'no', /being deleted/],
    ['CREATE_FAILED', 'no', /not ready \(create failed\): no such image/],
  ] as const)('a runtime that is %s', (status, asServer, sentence) => {
    const use = getCallability({ ...RUNTIME, status, failureReason: 'no such image' });
    expect(use).toMatchObject({ asServer, sentence: expect.stringMatching(sentence) });
  });
});
