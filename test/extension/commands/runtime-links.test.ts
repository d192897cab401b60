import { describe, expect, it } from 'vitest';
import {
  createProfilePolicy,
  createRolePolicy,
  createRoleTrustPolicy,
} from '../../../src/extension/commands/policy-documents.ts';
import {
  findEntryOffset,
  getLogGroupName,
  getLogGroupUrl,
} from '../../../src/extension/commands/runtime-commands.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const GATEWAY = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:gateway/tools-ab12cd34ef';
const ROLE = 'arn:aws:iam::210987654321:role/Caller';

describe('the link to CloudWatch logs', () => {
  it('opens the log group of the endpoint', () => {
    const group = '/aws/bedrock-agentcore/runtimes/weather-Ab12Cd34Ef';
    expect(getLogGroupName(ARN)).toBe(`${group}-DEFAULT`);
    expect(getLogGroupName(ARN, 'prod')).toBe(`${group}-prod`);
    expect(getLogGroupName(`${ARN}/runtime-endpoint/beta`)).toBe(`${group}-beta`);
    expect(getLogGroupName(GATEWAY)).toContain('/gateway/APPLICATION_LOGS/tools-ab12cd34ef');
  });

  it('uses the console of the partition, and encodes the log group for it', () => {
    expect(getLogGroupUrl(ARN)).toBe(
      'https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Faws$252Fbedrock-agentcore$252Fruntimes$252Fweather-Ab12Cd34Ef-DEFAULT',
    );
    const china = ARN.replace('arn:aws:', 'arn:aws-cn:').replace('eu-west-1', 'cn-north-1');
    expect(getLogGroupUrl(china)).toMatch(
      /^https:\/\/console\.amazonaws\.cn\/.*region=cn-north-1#/,
    );
    const gov = ARN.replace('arn:aws:', 'arn:aws-us-gov:').replace('eu-west-1', 'us-gov-west-1');
    expect(getLogGroupUrl(gov)).toMatch(/^https:\/\/console\.amazonaws-us-gov\.com\//);
  });
});

describe('the IAM policies to copy', () => {
  const role = {
    arns: [ROLE, `${ROLE}2`],
    externalId: 'x1',
    sessionName: undefined,
    mfaSerial: undefined,
    sourceIdentity: undefined,
  };

  it('allow the caller to call the runtime, or to assume the first role of the chain', () => {
    const actions = createProfilePolicy({ arn: ARN }).Statement.flatMap(({ Action }) => Action);
    expect(actions).toContain('bedrock-agentcore:InvokeAgentRuntime');
    expect(createProfilePolicy({ arn: ARN, role }).Statement).toMatchObject([
      { Action: 'sts:AssumeRole', Resource: ROLE },
    ]);
    expect(JSON.stringify(createRolePolicy({ arn: GATEWAY, role }))).toContain('InvokeGateway');
  });

  it('allow assuming a role, with the external ID only if this role requires it', () => {
    const principal = 'arn:aws:iam::123456789012:user/ada';
    const alone = createRoleTrustPolicy({ ...role, arns: [ROLE] }, principal);
    expect(alone.Statement).toMatchObject([
      {
        Principal: { AWS: principal },
        Condition: { StringEquals: { 'sts:ExternalId': 'x1' } },
      },
    ]);
    expect(JSON.stringify(createRoleTrustPolicy(role, principal))).not.toContain('ExternalId');
  });
});

describe('the settings position of an entry', () => {
  const text =
    '{ "x": { "name": "weather" }, "agentcore.runtimes": [\n { "name" : "a.b" }, { "name": "weather" } ] }';

  it('is found by its name, only in the list of runtimes', () => {
    expect(text.slice(findEntryOffset(text, 'weather'))).toMatch(/^"name": "weather" } ] }/);
    expect(text.slice(findEntryOffset(text, 'a.b'))).toMatch(/^"name" : "a\.b"/);
  });

  it('is the list itself without a name, and undefined if there is no list', () => {
    expect(text.slice(findEntryOffset(text, undefined))).toMatch(/^"agentcore\.runtimes"/);
    expect(findEntryOffset('{}', 'weather')).toBeUndefined();
  });
});
