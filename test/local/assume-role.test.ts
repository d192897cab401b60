import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalEvent } from '../../src/local/core/events.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { start } from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const ROLE = 'arn:aws:iam::123456789012:role/Caller';
const SECOND = 'arn:aws:iam::123456789012:role/Second';
const ELSEWHERE = 'arn:aws:iam::210987654321:role/Elsewhere';
const DEVELOPER = 'arn:aws:iam::123456789012:user/developer';
const DEVICE = { serial: 'arn:aws:iam::123456789012:mfa/phone', code: '123456' };

type Credentials = LocalRuntime['credentials'];

function sts(local: LocalRuntime, credentials: Credentials = local.credentials): STSClient {
  const { url: endpoint, region } = local;
  const client = new STSClient({ endpoint, region, credentials, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

/** A local AgentCore with roles, and with the permissions of the caller if they are limited. */
function withRoles(
  roles: NonNullable<LocalConfig['roles']>,
  policies: { readonly allowed?: string[]; readonly denied?: string[] } = {},
  listener?: (event: LocalEvent) => void,
) {
  const key = { id: 'AKIADEVELOPEREXAMPLE', secret: 'not-a-secret', ...policies };
  return start({}, { accessKeys: [key], roles }, listener ? { listener } : {});
}

function assume(
  local: LocalRuntime,
  more: Partial<AssumeRoleCommandInput> = {},
  credentials?: Credentials,
) {
  const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'test', ...more });
  return sts(local, credentials).send(command);
}

async function assumed(...args: Parameters<typeof assume>): Promise<Credentials> {
  const { Credentials: issued } = await assume(...args);
  return {
    accessKeyId: issued?.AccessKeyId ?? '',
    secretAccessKey: issued?.SecretAccessKey ?? '',
    sessionToken: issued?.SessionToken ?? '',
  };
}

function denied(message: string) {
  return {
    name: 'AccessDenied',
    message,
    $metadata: expect.objectContaining({ httpStatusCode: 403 }),
  };
}

function invalid(message: RegExp | string) {
  const text = typeof message === 'string' ? message : expect.stringMatching(message);
  return { name: 'ValidationError', message: text };
}

const NOT_AUTHORIZED = `User: ${DEVELOPER} is not authorized to perform: sts:AssumeRole on resource: ${ROLE}`;

describe('AssumeRole returns the same error to the caller, and logs the reason, if', () => {
  test.each([
    ['there is no such role', [], {}],
    [
      'the role does not trust the caller',
      [{ arn: ROLE, trustedPrincipals: [`${DEVELOPER}s`] }],
      {},
    ],
    ['the external id is not that of the role', [{ arn: ROLE, externalId: 'from-the-team' }], {}],
    ['the role wants MFA', [{ arn: ROLE, mfa: DEVICE }], {}],
    ['no policy of the caller allows sts:AssumeRole', [{ arn: ROLE }], { allowed: ['s3:*'] }],
  ])('%s', async (cause, roles, policies) => {
    const reasons: string[] = [];
    const local = await withRoles(roles, policies, (event) => {
      if (event.type === 'access-denied') reasons.push(event.reason);
    });
    await expect(assume(local)).rejects.toMatchObject(denied(NOT_AUTHORIZED));
    expect(reasons).toEqual([`${NOT_AUTHORIZED}: ${cause}`]);
    expect(local.requests.at(-1)?.refusal).toBe(reasons[0]);
  });
});

describe('a trust policy', () => {
  test.each([
    ['the ARN of the caller', DEVELOPER],
    ['its account', '123456789012'],
    ["its account's root", 'arn:aws:iam::123456789012:root'],
    ['anybody', '*'],
  ])('allows %s', async (_, name) => {
    const local = await withRoles([{ arn: ROLE, trustedPrincipals: [name] }]);
    await expect(assume(local)).resolves.toHaveProperty('Credentials.AccessKeyId');
  });

  test('that names the caller suffices within an account, but not from another', async () => {
    const trustedPrincipals = [DEVELOPER];
    const local = await withRoles(
      [
        { arn: ROLE, trustedPrincipals },
        { arn: SECOND, trustedPrincipals: ['123456789012'] },
        { arn: ELSEWHERE, trustedPrincipals },
      ],
      { allowed: [] },
    );
    await expect(assume(local)).resolves.toHaveProperty('Credentials');
    for (const RoleArn of [SECOND, ELSEWHERE]) {
      await expect(assume(local, { RoleArn })).rejects.toThrow(
        `is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
      );
    }
  });

  test('does not override an explicit deny, which is logged', async () => {
    const local = await withRoles([{ arn: ROLE, trustedPrincipals: [DEVELOPER] }], {
      denied: ['sts:*'],
    });
    await expect(assume(local)).rejects.toMatchObject(
      denied(`${NOT_AUTHORIZED} with an explicit deny in an identity-based policy`),
    );
  });

  test('recognizes a session by its role', async () => {
    const local = await withRoles([
      { arn: ROLE },
      { arn: SECOND, trustedPrincipals: [ROLE] },
      { arn: ELSEWHERE, trustedPrincipals: [SECOND] },
    ]);
    const first = await assumed(local);
    await expect(assume(local, { RoleArn: SECOND })).rejects.toThrow('is not authorized');
    const second = await assumed(local, { RoleArn: SECOND }, first);
    const third = await assumed(local, { RoleArn: ELSEWHERE }, second);
    expect(await sts(local, third).send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '210987654321',
      Arn: 'arn:aws:sts::210987654321:assumed-role/Elsewhere/test',
    });
  });
});

describe('a role that requires MFA', () => {
  const roles = [{ arn: ROLE, mfa: DEVICE }];
  const FAILED = 'MultiFactorAuthentication failed';

  test('is assumed with the device and its code', async () => {
    const local = await withRoles(roles);
    const mfa = { SerialNumber: DEVICE.serial, TokenCode: DEVICE.code };
    await expect(assume(local, mfa)).resolves.toHaveProperty('Credentials');
  });

  test.each([
    ['another code', { TokenCode: '654321' }, `${FAILED} with invalid MFA one time pass code.`],
    [
      'another device',
      { SerialNumber: `${DEVICE.serial}2` },
      `${FAILED}, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.`,
    ],
    [
      'no code',
      { TokenCode: undefined },
      `${FAILED}, must provide both MFA serial number and one time pass code.`,
    ],
  ])('rejects %s', async (_, more, message) => {
    const local = await withRoles(roles);
    const mfa = { SerialNumber: DEVICE.serial, TokenCode: DEVICE.code, ...more };
    await expect(assume(local, mfa)).rejects.toMatchObject(denied(message));
  });
});

describe('the duration of a session', () => {
  test('is the requested one, up to the maximum of the role', async () => {
    const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000);
    const local = await start(
      {},
      { roles: [{ arn: ROLE, maxSessionDuration: 7200 }, { arn: SECOND }] },
      { clock },
    );
    const { Credentials: issued } = await assume(local, { DurationSeconds: 7200 });
    expect(issued?.Expiration?.getTime()).toBe(clock.now() + 7_200_000);
    await expect(assume(local, { RoleArn: SECOND, DurationSeconds: 7200 })).rejects.toMatchObject(
      invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.'),
    );
  });

  test('is at most an hour in a chain of roles', async () => {
    const local = await withRoles([{ arn: ROLE }, { arn: SECOND, maxSessionDuration: 43_200 }]);
    const first = await assumed(local);
    const RoleArn = SECOND;
    await expect(assume(local, { RoleArn, DurationSeconds: 3601 }, first)).rejects.toMatchObject(
      invalid(
        'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining',
      ),
    );
    await expect(assume(local, { RoleArn, DurationSeconds: 3600 }, first)).resolves.toBeDefined();
    await expect(assume(local, { RoleArn, DurationSeconds: 43_200 })).resolves.toBeDefined();
  });

  test.each([899, 43_201])('cannot be %d seconds', async (DurationSeconds) => {
    const local = await withRoles([{ arn: ROLE }]);
    await expect(assume(local, { DurationSeconds })).rejects.toMatchObject(
      invalid(/^1 validation error detected: Value '\d+' at 'durationSeconds' failed/),
    );
  });

  test('ends with the error for an expired key', async () => {
    const local = await withRoles([{ arn: ROLE, sessionDuration: 60 }]);
    const credentials = await assumed(local);
    local.setClockSkew(61);
    const later = new STSClient({
      endpoint: local.url,
      region: local.region,
      credentials,
      systemClockOffset: 61_000,
      maxAttempts: 1,
    });
    onTestFinished(() => later.destroy());
    await expect(later.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'ExpiredToken',
      message: 'The security token included in the request is expired',
    });
  });
});

describe('a source identity', () => {
  const roles = [
    { arn: ROLE, sourceIdentity: true },
    { arn: SECOND, sourceIdentity: true },
    { arn: ELSEWHERE },
  ];
  const NOT_SET = (arn: string, role: string) =>
    `User: ${arn} is not authorized to perform: sts:SetSourceIdentity on resource: ${role}`;

  test('is returned, and stays the same along a chain', async () => {
    const local = await withRoles(roles);
    const { SourceIdentity } = await assume(local, { SourceIdentity: 'ada' });
    expect(SourceIdentity).toBe('ada');
    const first = await assumed(local, { SourceIdentity: 'ada' });
    expect((await assume(local, { RoleArn: SECOND }, first)).SourceIdentity).toBe('ada');
    const session = 'arn:aws:sts::123456789012:assumed-role/Caller/test';
    const changed = { RoleArn: SECOND, SourceIdentity: 'grace' };
    await expect(assume(local, changed, first)).rejects.toMatchObject(
      denied(NOT_SET(session, SECOND)),
    );
    await expect(assume(local, { RoleArn: ELSEWHERE }, first)).rejects.toMatchObject(
      denied(NOT_SET(session, ELSEWHERE)),
    );
  });

  test('requires the permission of the caller', async () => {
    const local = await withRoles(roles, { allowed: ['sts:AssumeRole'] });
    await expect(assume(local)).resolves.toBeDefined();
    await expect(assume(local, { SourceIdentity: 'ada' })).rejects.toMatchObject(
      denied(NOT_SET(DEVELOPER, ROLE)),
    );
  });
});

describe('AssumeRoleWithWebIdentity', () => {
  const configuration: Partial<LocalConfig> = {
    oauth: { clients: { ci: { secret: 'not-a-secret', audience: 'sts' } } },
    roles: [{ arn: ROLE, webIdentity: { audience: ['sts'], subjects: ['ci'] } }, { arn: SECOND }],
  };

  async function byToken(local: LocalRuntime, request: object = {}, RoleArn = ROLE) {
    const { accessToken } = await local.oauth.issue({ clientId: 'ci', ...request });
    return sts(local, { accessKeyId: '', secretAccessKey: '' }).send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn,
        RoleSessionName: 'build',
        WebIdentityToken: accessToken,
      }),
    );
  }

  test('returns credentials for a token, without a signature', async () => {
    const local = await start({}, configuration);
    const { Credentials: issued, ...told } = await byToken(local);
    expect(told).toMatchObject({
      SubjectFromWebIdentityToken: 'ci',
      Audience: 'sts',
      Provider: local.oauth.issuer,
    });
    const credentials = {
      accessKeyId: issued?.AccessKeyId ?? '',
      secretAccessKey: issued?.SecretAccessKey ?? '',
      sessionToken: issued?.SessionToken ?? '',
    };
    const { Arn } = await sts(local, credentials).send(new GetCallerIdentityCommand({}));
    expect(Arn).toBe('arn:aws:sts::123456789012:assumed-role/Caller/build');
  });

  test.each([
    ['an expired token', { expiresIn: -1 }, 'ExpiredTokenException', /^Token expired: current/],
    [
      'another audience',
      { audience: 'x' },
      'InvalidIdentityTokenException',
      /^Incorrect token audience$/,
    ],
    ['another subject', { subject: 'x' }, 'AccessDenied', /^Not authorized to perform sts:Assume/],
    [
      'another issuer',
      { claims: { iss: 'x' } },
      'InvalidIdentityTokenException',
      /^No OpenIDConnect/,
    ],
  ])('rejects %s', async (_, request, name, message) => {
    const local = await start({}, configuration);
    await expect(byToken(local, request)).rejects.toMatchObject({
      name,
      message: expect.stringMatching(message),
    });
  });

  test('rejects a role that does not trust web identities', async () => {
    const local = await start({}, configuration);
    await expect(byToken(local, {}, SECOND)).rejects.toMatchObject(
      denied('Not authorized to perform sts:AssumeRoleWithWebIdentity'),
    );
  });
});
