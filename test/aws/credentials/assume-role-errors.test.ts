import { describe, expect, it } from 'vitest';
import { createAssumeRoleError } from '../../../src/aws/credentials/assume-role.ts';
import { toSignatureError } from '../../../src/aws/credentials/errors.ts';
import { describeClockSkew } from '../../../src/aws/sigv4.ts';

const ROLE = { arn: 'arn:aws:iam::222222222222:role/reader', sessionName: 'me' };
const OWN = 'arn:aws:iam::222222222222:user/me';
const OTHER = 'arn:aws:iam::111111111111:user/me';

function refusal(name: string, message: string, date?: string): Error {
  const headers = date ? { date } : {};
  return Object.assign(new Error(message), { name, $response: { headers } });
}

const denial = (caller: string, suffix = '', action = 'sts:AssumeRole') =>
  refusal(
    'AccessDenied',
    `User: ${caller} is not authorized to perform: ${action} on resource: ${ROLE.arn}${suffix}`,
  );

const failed = (cause: unknown, role: object = {}) =>
  createAssumeRoleError(cause, { ...ROLE, ...role }, 'of profile "work"');

const sides = (error: { data?: Readonly<Record<string, unknown>> | undefined }) =>
  ((error.data?.statements ?? []) as { of: string }[]).map(({ of }) => of);

describe('the error for a role that cannot be assumed', () => {
  it('names both statements for a role of another account, and the caller’s first', () => {
    const error = failed(denial(OTHER));
    expect(sides(error)).toEqual(['caller', 'trust']);
    expect(error.message).toContain(
      `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"${ROLE.arn}"}`,
    );
    expect(error.message).toContain(`"Principal":{"AWS":"${OTHER}"}`);
    expect(error.message).toContain('AGENTCORE_ASSUME_ROLE_EXTERNAL_ID');
  });

  it('names the trust policy first for a role of the same account, because that alone suffices', () => {
    expect(sides(failed(denial(OWN)))).toEqual(['trust', 'caller']);
  });

  it('names only the missing statement if AWS reports which one is missing', () => {
    const words = ' because no identity-based policy allows the sts:AssumeRole action';
    expect(sides(failed(denial(OWN, words)))).toEqual(['caller']);
    const trust = ' because no role trust policy allows the sts:AssumeRole action';
    expect(sides(failed(denial(OTHER, trust)))).toEqual(['trust']);
    const deny = failed(denial(OTHER, ' with an explicit deny in a service control policy'));
    expect(sides(deny)).toEqual([]);
    expect(deny.message).toMatch(/a policy denies it/);
  });

  it('names a caller that is itself a role in the form that a trust policy accepts', () => {
    const role = failed(denial('arn:aws:sts::111111111111:assumed-role/builder/session'));
    expect(role.message).toContain('"AWS":"arn:aws:iam::111111111111:role/builder"');
    const sso = failed(denial('arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Dev_0a1b/me'));
    expect(sso.message).toContain('"AWS":"arn:aws:iam::111111111111:root"');
    const path = 'arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/';
    expect(sso.message).toContain(
      `{"aws:PrincipalArn":["${path}*/AWSReservedSSO_Dev_0a1b","${path}AWSReservedSSO_Dev_0a1b"]}`,
    );
  });

  it('includes the conditions and the source identity in the statements', () => {
    const error = failed(denial(OTHER, '', 'sts:SetSourceIdentity'), {
      externalId: 'partner-7',
      sourceIdentity: 'me',
    });
    expect(error.message).toContain('"Action":["sts:AssumeRole","sts:SetSourceIdentity"]');
    expect(error.message).toContain('"sts:ExternalId":"THE_EXTERNAL_ID"');
    expect(error.message).not.toContain('partner-7');
  });

  it.each([
    [
      'AccessDenied',
      'MultiFactorAuthentication failed with invalid MFA one time pass code.',
      'it needs MFA',
    ],
    [
      'ValidationError',
      'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
      'set a shorter duration',
    ],
    [
      'ValidationError',
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
      'lasts one hour at most',
    ],
    [
      'RegionDisabledException',
      'STS is not activated in this region',
      'activate it, or set AWS_REGION',
    ],
    ['ExpiredToken', 'The security token included in the request is expired', 'have expired'],
    [
      'InvalidClientTokenId',
      'The security token included in the request is invalid.',
      'AWS rejected the access key',
    ],
    ['TimeoutError', 'socket hang up', 'check the network'],
  ])('is specific for %s: %s', (name, message, words) => {
    expect(failed(refusal(name, message)).message).toContain(words);
  });

  it('never repeats the signed request', () => {
    const words =
      'The request signature we calculated does not match.\n\nx-amz-security-token:hush';
    expect(failed(refusal('SignatureDoesNotMatch', words)).message).not.toContain('hush');
  });
});

describe('a wrong clock', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');

  it('is reported with its difference', () => {
    const cause = refusal(
      'SignatureDoesNotMatch',
      'Signature expired',
      'Thu, 01 Jan 2026 11:40:00 GMT',
    );
    expect(toSignatureError(cause, 'STS', 'of profile "work"', now)?.message).toBe(
      'STS rejected the signature: the clock of this machine is 20 minutes fast, set it',
    );
    expect(describeClockSkew('Thu, 01 Jan 2026 17:00:00 GMT', now)).toContain('5 hours slow');
  });

  it('is not blamed if the clock is right', () => {
    const cause = refusal('SignatureDoesNotMatch', 'No match', 'Thu, 01 Jan 2026 12:00:01 GMT');
    expect(toSignatureError(cause, 'STS', 'of profile "work"', now)?.message).toContain(
      'the secret access key of profile "work" does not belong to',
    );
  });
});
