import { describe, expect, it } from 'vitest';
import { parseGatewayArn } from '../../../src/aws/arn.ts';
import { createTrustPolicy, parseRoleArn } from '../../../src/aws/iam/policies.ts';

const ACCOUNT = '123456789012';

describe('a trust policy', () => {
  it.each([
    [ACCOUNT, `arn:aws:iam::${ACCOUNT}:root`],
    [`arn:aws:iam::${ACCOUNT}:root`, `arn:aws:iam::${ACCOUNT}:root`],
    [`arn:aws:iam::${ACCOUNT}:user/team/ada`, `arn:aws:iam::${ACCOUNT}:user/team/ada`],
    [
      `arn:aws:sts::${ACCOUNT}:assumed-role/Developer/ada`,
      `arn:aws:iam::${ACCOUNT}:role/Developer`,
    ],
    [`arn:aws:iam::${ACCOUNT}:role/team/Developer`, `arn:aws:iam::${ACCOUNT}:role/team/Developer`],
    [
      `arn:aws:iam::${ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-2/AWSReservedSSO_Dev_0123456789abcdef`,
      `arn:aws:iam::${ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-2/AWSReservedSSO_Dev_0123456789abcdef`,
    ],
  ])('trusts %s as %s', (principal, trusted) => {
    expect(createTrustPolicy({ principal }).Statement).toEqual([
      {
        Sid: 'AssumeRole',
        Effect: 'Allow',
        Principal: { AWS: trusted },
        Action: 'sts:AssumeRole',
      },
    ]);
  });

  it.each([
    `arn:aws:sts::${ACCOUNT}:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/ada`,
    `arn:aws:iam::${ACCOUNT}:role/AWSReservedSSO_Dev_0123456789abcdef`,
  ])('trusts the IAM Identity Center role of %s in any region', (principal) => {
    expect(createTrustPolicy({ principal }).Statement).toMatchObject([
      {
        Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
        Condition: {
          ArnLike: {
            'aws:PrincipalArn': [
              `arn:aws:iam::${ACCOUNT}:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Dev_0123456789abcdef`,
              `arn:aws:iam::${ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef`,
            ],
          },
        },
      },
    ]);
  });

  it('applies its conditions to everything except setting a source identity', () => {
    const trust = { principal: ACCOUNT, externalId: 'abc', mfa: true, sourceIdentity: true };
    expect(createTrustPolicy(trust, 'aws-cn').Statement).toEqual([
      {
        Sid: 'AssumeRole',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws-cn:iam::${ACCOUNT}:root` },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEquals: { 'sts:ExternalId': 'abc' },
          Bool: { 'aws:MultiFactorAuthPresent': 'true' },
        },
      },
      {
        Sid: 'SetSourceIdentity',
        Effect: 'Allow',
        Principal: { AWS: `arn:aws-cn:iam::${ACCOUNT}:root` },
        Action: 'sts:SetSourceIdentity',
      },
    ]);
  });

  it.each(['ada', '*', '12345', `arn:aws:iam::${ACCOUNT}:assumed-role/a/b`])(
    'does not accept %j',
    (principal) => {
      expect(() => createTrustPolicy({ principal })).toThrow(/Not a principal/);
    },
  );
});

describe('an ARN', () => {
  it('is recognized as the ARN of a role', () => {
    const arn = `arn:aws:iam::${ACCOUNT}:role/team/Reader`;
    expect(parseRoleArn(` ${arn} `)).toBe(arn);
    for (const text of ['Reader', `arn:aws:iam::${ACCOUNT}:user/Reader`, `${arn} x`]) {
      expect(() => parseRoleArn(text)).toThrow(/Not the ARN of a role/);
    }
  });

  it('of a gateway contains account and region', () => {
    const arn = `arn:aws-us-gov:bedrock-agentcore:us-gov-west-1:${ACCOUNT}:gateway/tools-abcdefghij`;
    expect(parseGatewayArn(arn)).toEqual({
      arn,
      partition: 'aws-us-gov',
      region: 'us-gov-west-1',
      account: ACCOUNT,
      gatewayId: 'tools-abcdefghij',
    });
    expect(() => parseGatewayArn(arn.replace('gateway', 'runtime'))).toThrow(/Not the ARN/);
  });
});
