import {
  BedrockAgentCoreClient,
  InvokeAgentRuntimeCommand,
} from '@aws-sdk/client-bedrock-agentcore';
import { LogoutCommand, paginateListAccountRoles, paginateListAccounts } from '@aws-sdk/client-sso';
import {
  CreateTokenCommand,
  RegisterClientCommand,
  type RegisterClientCommandInput,
  StartDeviceAuthorizationCommand,
} from '@aws-sdk/client-sso-oidc';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { fromIni, fromSSO } from '@aws-sdk/credential-providers';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Fault } from '../../src/local/config/faults.ts';
import type { LocalEvent } from '../../src/local/core/events.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { httpAgent, signingFetch, start } from './harness.ts';
import { ManualClock } from './manual-clock.ts';
import {
  ACCOUNT,
  authorizeUrl,
  awsHome,
  cachedToken,
  DEVICE_CODE,
  listAccounts,
  listRoles,
  OTHER_ACCOUNT,
  oidc,
  pkce,
  pollDevice,
  portal,
  refresh,
  register,
  roleCredentials,
  SCOPE,
  signIn,
  signInByDevice,
  startDevice,
  startSso,
  submit,
} from './sso-harness.ts';

/** An SSO-OIDC error as its client receives it. */
function oidcError(name: string, error: string, status = 400) {
  return expect.objectContaining({ name, error, $metadata: expectStatus(status) });
}

function expectStatus(httpStatusCode: number) {
  return expect.objectContaining({ httpStatusCode });
}

const INVALID_GRANT = oidcError('InvalidGrantException', 'invalid_grant');
const BAD_TOKEN = {
  name: 'UnauthorizedException',
  message: 'Session token not found or invalid',
  $metadata: expectStatus(401),
};

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

async function callerArn(local: LocalRuntime, credentials: Credentials) {
  const { region } = local;
  const client = new STSClient({ endpoint: local.url, region, credentials, maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client.send(new GetCallerIdentityCommand({}));
}

/** The request in plain text, signed at a time that the test sets. */
async function askSts(local: LocalRuntime, credentials: Credentials, at: Date): Promise<string> {
  const signed = signingFetch(local, { ...credentials, service: 'sts', at });
  const body = 'Action=GetCallerIdentity&Version=2011-06-15';
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return (await signed(`${local.url}/`, { method: 'POST', headers, body })).text();
}

describe('RegisterClient', () => {
  test('returns the client id, its secret and its expiry', async () => {
    const clock = new ManualClock();
    const local = await startSso({ registrationDuration: 60 }, {}, { clock });
    const registered = await oidc(local).send(
      new RegisterClientCommand({ clientName: 'a test', clientType: 'public' }),
    );
    expect(registered).toMatchObject({
      clientId: expect.any(String),
      clientSecret: expect.any(String),
      clientIdIssuedAt: Math.floor(clock.now() / 1000),
      clientSecretExpiresAt: Math.floor(clock.now() / 1000) + 60,
    });
  });

  const refused: readonly [string, Partial<RegisterClientCommandInput>, string, string][] = [
    [
      'a confidential client',
      { clientType: 'confidential' },
      'InvalidClientMetadataException',
      'invalid_client_metadata',
    ],
    [
      'an unknown grant type',
      { grantTypes: ['password'] },
      'UnsupportedGrantTypeException',
      'unsupported_grant_type',
    ],
    [
      'a redirect to another machine',
      { redirectUris: ['https://example.com/'] },
      'InvalidRedirectUriException',
      'invalid_redirect_uri',
    ],
    [
      'authorization codes without a redirect URI',
      { redirectUris: [] },
      'InvalidRequestException',
      'invalid_request',
    ],
    ['a scope that is none', { scopes: ['everything'] }, 'InvalidScopeException', 'invalid_scope'],
    [
      'another start URL',
      { issuerUrl: 'https://example.com/start' },
      'InvalidRequestException',
      'invalid_request',
    ],
    ['a client without a name', { clientName: '' }, 'InvalidRequestException', 'invalid_request'],
  ];
  test.each(refused)('rejects %s', async (_, metadata, name, error) => {
    const local = await startSso();
    await expect(register(local, metadata)).rejects.toEqual(oidcError(name, error));
  });

  test('rejects a body that is not JSON', async () => {
    const local = await startSso();
    const answer = await fetch(`${local.url}/client/register`, { method: 'POST', body: '{' });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-amzn-errortype')).toBe('InvalidRequestException');
    expect(await answer.json()).toEqual({
      error: 'invalid_request',
      error_description: 'Invalid request',
    });
  });
});

describe('the device flow', () => {
  test('issues tokens once the user has approved it, and its code works once', async () => {
    const clock = new ManualClock();
    const local = await startSso({ deviceInterval: 5 }, {}, { clock });
    const client = await register(local);
    const started = await startDevice(local, client);
    expect(started).toMatchObject({
      userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
      verificationUri: `${local.url}/device`,
      verificationUriComplete: `${local.url}/device?user_code=${started.userCode}`,
      expiresIn: 600,
      interval: 5,
    });
    const poll = () => pollDevice(local, client, started.deviceCode);
    await expect(poll()).rejects.toEqual(
      oidcError('AuthorizationPendingException', 'authorization_pending'),
    );
    expect(local.sso.waiting).toMatchObject([{ userCode: started.userCode, client: 'a test' }]);
    local.sso.approve(started.userCode ?? '');
    clock.advance(5000);
    const tokens = await poll();
    expect(tokens).toMatchObject({
      accessToken: expect.any(String),
      refreshToken: expect.any(String),
      tokenType: 'Bearer',
      expiresIn: 3600,
    });
    expect(local.sso.waiting).toEqual([]);
    clock.advance(5000);
    await expect(poll()).rejects.toEqual(INVALID_GRANT);
  });

  test('slows down a device that polls too often, and more each time', async () => {
    const clock = new ManualClock();
    const local = await startSso({ deviceInterval: 1 }, {}, { clock });
    const client = await register(local);
    const { deviceCode } = await startDevice(local, client);
    const pollAfter = async (ms: number) => {
      clock.advance(ms);
      const error = await pollDevice(local, client, deviceCode).catch((thrown) => thrown);
      return error.error;
    };
    const told = [];
    for (const ms of [0, 1000, 500, 1000, 5000, 16_000]) told.push(await pollAfter(ms));
    const pending = 'authorization_pending';
    expect(told).toEqual([pending, pending, 'slow_down', 'slow_down', 'slow_down', pending]);
  });

  test('ends with a denial', async () => {
    const local = await startSso();
    const client = await register(local);
    const { deviceCode, userCode = '' } = await startDevice(local, client);
    local.sso.deny(userCode);
    await expect(pollDevice(local, client, deviceCode)).rejects.toEqual(
      oidcError('AccessDeniedException', 'access_denied'),
    );
  });

  test('ends when it expires', async () => {
    const clock = new ManualClock();
    const local = await startSso({ deviceCodeDuration: 60 }, {}, { clock });
    const client = await register(local);
    const { deviceCode, userCode = '' } = await startDevice(local, client);
    clock.advance(60_000);
    await expect(pollDevice(local, client, deviceCode)).rejects.toEqual(
      oidcError('ExpiredTokenException', 'expired_token'),
    );
    expect(local.sso.waiting).toEqual([]);
    expect(() => local.sso.approve(userCode)).toThrow('No device waits with this user code');
  });

  test('requires the configured start URL, in any spelling', async () => {
    const local = await startSso({ startUrl: 'https://local.awsapps.com/start' });
    const client = await register(local);
    const startAt = (startUrl: string) =>
      oidc(local).send(new StartDeviceAuthorizationCommand({ ...client, startUrl }));
    for (const startUrl of [
      'https://local.awsapps.com/start/',
      'https://local.awsapps.com/start/#/',
    ]) {
      await expect(startAt(startUrl)).resolves.toMatchObject({ interval: 1 });
    }
    await expect(startAt('https://other.awsapps.com/start')).rejects.toEqual(
      oidcError('InvalidRequestException', 'invalid_request'),
    );
  });

  test('belongs to the client that started it', async () => {
    const local = await startSso();
    const { deviceCode, userCode = '' } = await startDevice(local, await register(local));
    local.sso.approve(userCode);
    await expect(pollDevice(local, await register(local), deviceCode)).rejects.toEqual(
      INVALID_GRANT,
    );
  });
});

describe('the authorization code', () => {
  async function approved(local: LocalRuntime) {
    const client = await register(local);
    const { verifier, challenge } = pkce();
    const redirectUri = 'http://127.0.0.1:50123/oauth/callback';
    const url = authorizeUrl(local, client, { code_challenge: challenge });
    const answer = await submit(url, { user: 'ada', decision: 'approve' });
    const code = new URL(answer.headers.get('location') ?? '').searchParams.get('code');
    const input = { ...client, code: code ?? '', codeVerifier: verifier, redirectUri };
    return (more: object = {}) =>
      oidc(local).send(
        new CreateTokenCommand({ grantType: 'authorization_code', ...input, ...more }),
      );
  }

  test('is exchanged for tokens once', async () => {
    const local = await startSso();
    const redeem = await approved(local);
    const { accessToken = '' } = await redeem();
    expect((await listAccounts(local, accessToken)).accountList).toHaveLength(2);
    await expect(redeem()).rejects.toEqual(INVALID_GRANT);
  });

  test.each([
    ['another verifier', { codeVerifier: 'another' }],
    ['another redirect URI', { redirectUri: 'http://127.0.0.1:50124/oauth/callback' }],
  ])('is rejected with %s, and then invalid', async (_, more) => {
    const local = await startSso();
    const redeem = await approved(local);
    await expect(redeem(more)).rejects.toEqual(INVALID_GRANT);
    await expect(redeem()).rejects.toEqual(INVALID_GRANT);
  });

  test('is rejected for another client', async () => {
    const local = await startSso();
    const redeem = await approved(local);
    await expect(redeem(await register(local))).rejects.toEqual(INVALID_GRANT);
  });

  test('expires', async () => {
    const clock = new ManualClock();
    const local = await startSso({ codeDuration: 30 }, {}, { clock });
    const redeem = await approved(local);
    clock.advance(30_000);
    await expect(redeem()).rejects.toEqual(INVALID_GRANT);
  });
});

describe('CreateToken', () => {
  test('rejects incomplete requests and unknown grant types', async () => {
    const local = await startSso();
    const client = await register(local);
    const ask = (more: { grantType: string; scope?: string[] }) =>
      oidc(local).send(new CreateTokenCommand({ ...client, ...more }));
    for (const grantType of ['authorization_code', 'refresh_token', DEVICE_CODE]) {
      await expect(ask({ grantType })).rejects.toEqual(
        oidcError('InvalidRequestException', 'invalid_request'),
      );
    }
    await expect(ask({ grantType: 'password' })).rejects.toEqual(
      oidcError('UnsupportedGrantTypeException', 'unsupported_grant_type'),
    );
    await expect(ask({ grantType: 'refresh_token', scope: ['other:scope'] })).rejects.toEqual(
      oidcError('InvalidScopeException', 'invalid_scope'),
    );
  });

  test('rejects a client that is unknown, has another secret, or has expired', async () => {
    const clock = new ManualClock();
    const local = await startSso({ registrationDuration: 60 }, {}, { clock });
    const { client, refreshToken } = await signIn(local);
    const invalid = oidcError('InvalidClientException', 'invalid_client', 401);
    const other = { ...client, clientSecret: 'another' };
    await expect(refresh(local, other, refreshToken)).rejects.toEqual(invalid);
    const unknown = { ...client, clientId: 'unknown' };
    await expect(refresh(local, unknown, refreshToken)).rejects.toEqual(invalid);
    clock.advance(60_000);
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(invalid);
    await expect(startDevice(local, client)).rejects.toEqual(invalid);
  });

  test('rejects a grant type that the client has not registered', async () => {
    const local = await startSso();
    const unauthorized = oidcError('UnauthorizedClientException', 'unauthorized_client');
    const browserOnly = await register(local, { grantTypes: ['authorization_code'] });
    await expect(startDevice(local, browserOnly)).rejects.toEqual(unauthorized);
    await expect(refresh(local, browserOnly, 'any')).rejects.toEqual(unauthorized);
  });

  test('issues a client without scopes no refresh token, and access tokens for the whole session', async () => {
    const local = await startSso();
    const legacy = { grantTypes: undefined, scopes: undefined, redirectUris: undefined };
    const tokens = await signInByDevice(local, 'ada', legacy);
    expect(tokens.refreshToken).toBeUndefined();
    expect(tokens.expiresIn).toBe(28_800);
    const withScopes = { ...legacy, scopes: [SCOPE] };
    expect(await signIn(local, 'ada', withScopes)).toMatchObject({
      refreshToken: expect.any(String),
      expiresIn: 3600,
    });
  });
});

describe('a refresh', () => {
  test('replaces the refresh token, and keeps the old access token valid', async () => {
    const local = await startSso();
    const { client, accessToken, refreshToken } = await signIn(local);
    const refreshed = await refresh(local, client, refreshToken);
    expect(refreshed.refreshToken).not.toBe(refreshToken);
    expect(refreshed.accessToken).not.toBe(accessToken);
    for (const token of [accessToken, refreshed.accessToken ?? '']) {
      await expect(listAccounts(local, token)).resolves.toMatchObject({});
    }
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(INVALID_GRANT);
    await expect(refresh(local, client, refreshed.refreshToken)).resolves.toMatchObject({});
  });

  test('keeps the refresh token, returned or not, if a switch is set', async () => {
    for (const ssoRefreshTokens of ['keep', 'omit'] as const) {
      const local = await startSso({}, { switches: { ssoRefreshTokens } });
      const { client, refreshToken } = await signIn(local);
      const refreshed = await refresh(local, client, refreshToken);
      expect(refreshed.refreshToken).toBe(ssoRefreshTokens === 'keep' ? refreshToken : undefined);
      await expect(refresh(local, client, refreshToken)).resolves.toMatchObject({});
    }
  });

  test('is rejected for another client', async () => {
    const local = await startSso();
    const { refreshToken } = await signIn(local);
    await expect(refresh(local, await register(local), refreshToken)).rejects.toEqual(
      INVALID_GRANT,
    );
  });

  test('works until the session ends, and issues no token that outlives it', async () => {
    const clock = new ManualClock();
    const local = await startSso({ sessionDuration: 100, accessTokenDuration: 60 }, {}, { clock });
    const { client, accessToken, refreshToken } = await signIn(local);
    clock.advance(60_000);
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject(BAD_TOKEN);
    const refreshed = await refresh(local, client, refreshToken);
    expect(refreshed.expiresIn).toBe(40);
    clock.advance(40_000);
    await expect(listAccounts(local, refreshed.accessToken ?? '')).rejects.toMatchObject(BAD_TOKEN);
    await expect(refresh(local, client, refreshed.refreshToken)).rejects.toEqual(INVALID_GRANT);
    expect(local.sso.tokens).toEqual([]);
  });
});

describe('the portal', () => {
  test('lists the accounts and roles of the user, page by page', async () => {
    const local = await startSso();
    const { accessToken } = await signIn(local);
    const client = portal(local);
    const accounts = [];
    for await (const page of paginateListAccounts({ client, pageSize: 1 }, { accessToken })) {
      accounts.push(page.accountList);
    }
    expect(accounts).toEqual([
      [{ accountId: ACCOUNT, accountName: 'Development', emailAddress: 'dev@example.com' }],
      [{ accountId: OTHER_ACCOUNT, accountName: 'Production' }],
    ]);
    const roles = [];
    const input = { accessToken, accountId: ACCOUNT };
    for await (const page of paginateListAccountRoles({ client, pageSize: 1 }, input)) {
      roles.push(page.roleList);
    }
    expect(roles).toEqual([
      [{ roleName: 'Developer', accountId: ACCOUNT }],
      [{ roleName: 'Reader', accountId: ACCOUNT }],
    ]);
    const { accessToken: other } = await signIn(local, 'grace');
    expect((await listAccounts(local, other)).accountList).toEqual([]);
  });

  test('rejects an invalid page token', async () => {
    const local = await startSso();
    const { accessToken } = await signIn(local);
    const invalid = { name: 'InvalidRequestException', $metadata: expectStatus(400) };
    for (const more of [{ maxResults: 101 }, { nextToken: 'nothing' }]) {
      await expect(listAccounts(local, accessToken, more)).rejects.toMatchObject(invalid);
    }
    const headers = { 'x-amz-sso_bearer_token': accessToken };
    for (const path of ['/assignment/roles', `/federation/credentials?account_id=${ACCOUNT}`]) {
      const answer = await fetch(local.url + path, { headers });
      expect(answer.headers.get('x-amzn-errortype')).toBe('InvalidRequestException');
    }
  });

  test('issues credentials that sign as the role, until they expire', async () => {
    const clock = new ManualClock();
    const local = await startSso({}, {}, { clock });
    const { accessToken } = await signIn(local);
    const credentials = await roleCredentials(local, accessToken);
    expect(credentials.expiration.getTime()).toBe(clock.now() + 3_600_000);
    const reader = await roleCredentials(local, accessToken, 'Reader');
    expect(reader.expiration.getTime()).toBe(clock.now() + 900_000);
    const identity = await callerArn(local, credentials);
    expect(identity.Account).toBe(ACCOUNT);
    expect(identity.Arn).toMatch(
      /^arn:aws:sts::123456789012:assumed-role\/AWSReservedSSO_Developer_[0-9a-f]{16}\/ada$/,
    );
    expect(identity.UserId).toMatch(/^AROA[A-Z2-7]{17}:ada$/);
    clock.advance(900_000);
    const expired = await askSts(local, reader, new Date(clock.now()));
    expect(expired).toContain('<Code>ExpiredToken</Code>');
    expect(await askSts(local, credentials, new Date(clock.now()))).toContain(identity.Arn);
  });

  test('issues credentials with the denials of the role', async () => {
    const local = await startSso({}, { runtimes: { agent: httpAgent() } });
    const { accessToken } = await signIn(local);
    const invoke = async (role: string) => {
      const client = new BedrockAgentCoreClient({
        endpoint: local.url,
        region: local.region,
        credentials: await roleCredentials(local, accessToken, role),
        maxAttempts: 1,
      });
      onTestFinished(() => client.destroy());
      const agentRuntimeArn = local.runtime('agent').arn;
      return client.send(
        new InvokeAgentRuntimeCommand({ agentRuntimeArn, payload: Buffer.from('{}') }),
      );
    };
    await expect(invoke('Developer')).resolves.toMatchObject({ statusCode: 200 });
    await expect(invoke('Reader')).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('assumed-role/AWSReservedSSO_Reader_'),
    });
  });

  test('rejects accounts and roles that the user does not have', async () => {
    const forbidden = {
      name: 'ForbiddenException',
      message: 'No access',
      $metadata: expectStatus(403),
    };
    const missing = { name: 'ResourceNotFoundException', $metadata: expectStatus(404) };
    for (const [ssoNoAccess, told] of [
      ['forbidden', forbidden],
      ['not-found', missing],
    ] as const) {
      const local = await startSso({}, { switches: { ssoNoAccess } });
      const { accessToken } = await signIn(local);
      await expect(roleCredentials(local, accessToken, 'Admin')).rejects.toMatchObject(told);
      await expect(roleCredentials(local, accessToken, 'toString')).rejects.toMatchObject(told);
      await expect(
        roleCredentials(local, accessToken, 'Developer', OTHER_ACCOUNT),
      ).rejects.toMatchObject(told);
      await expect(listRoles(local, accessToken, '000000000000')).rejects.toMatchObject(told);
    }
  });

  test('rejects a token that is unknown, missing, or of another kind', async () => {
    const local = await startSso();
    await expect(listAccounts(local, 'unknown')).rejects.toMatchObject(BAD_TOKEN);
    const without = await fetch(`${local.url}/assignment/accounts`);
    expect(without.status).toBe(401);
    const { accessToken } = await signIn(local, 'ada', { scopes: ['other:scope'] });
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject(BAD_TOKEN);
  });

  test('ends the whole sign-in at a logout, and no other', async () => {
    const local = await startSso();
    const { client, accessToken, refreshToken } = await signIn(local);
    const other = await signIn(local);
    const credentials = await roleCredentials(local, accessToken);
    await portal(local).send(new LogoutCommand({ accessToken }));
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject(BAD_TOKEN);
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(INVALID_GRANT);
    await expect(listAccounts(local, other.accessToken)).resolves.toMatchObject({});
    await expect(callerArn(local, credentials)).resolves.toMatchObject({ Account: ACCOUNT });
  });
});

describe('the handle', () => {
  test('revokes every sign-in of a user', async () => {
    const local = await startSso();
    const { client, refreshToken } = await signIn(local);
    const second = await signIn(local);
    const { accessToken } = await signIn(local, 'grace');
    expect(local.sso.revoke('ada')).toBe(2);
    await expect(listAccounts(local, second.accessToken)).rejects.toMatchObject(BAD_TOKEN);
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(INVALID_GRANT);
    await expect(listAccounts(local, accessToken)).resolves.toMatchObject({});
    expect(local.sso.revoke('ada')).toBe(0);
    expect(() => local.sso.revoke('nobody')).toThrow('No SSO user has this name: nobody');
  });

  test('lists valid tokens without their values', async () => {
    const clock = new ManualClock();
    const local = await startSso({}, {}, { clock });
    const { accessToken } = await signIn(local);
    expect(local.sso.tokens).toEqual([
      {
        user: 'ada',
        client: 'a test',
        scopes: [SCOPE],
        refreshable: true,
        issuedAt: clock.now(),
        expiresAt: clock.now() + 3_600_000,
      },
    ]);
    expect(JSON.stringify(local.sso)).not.toContain(accessToken);
  });

  test('does not exist without a configuration, and neither do the services', async () => {
    const local = await start({});
    expect(() => local.sso).toThrow('The configuration has no sso section');
    expect((await fetch(`${local.url}/token`, { method: 'POST', body: '{}' })).status).toBe(404);
  });
});

describe('the configuration', () => {
  test.each([
    ['no user', { users: {} }, /name a user here/],
    ['an invalid account', { users: { ada: { accounts: { '12': {} } } } }, /twelve digits/],
    ['an invalid user name', { users: { 'a b': {} } }, /a user has letters/],
    ['an invalid start URL', { startUrl: 'start', users: { ada: {} } }, /http or https URL/],
    ['half a second', { sessionDuration: 0.5, users: { ada: {} } }, /whole seconds/],
  ])('rejects %s', async (_, sso, message) => {
    await expect(startSso(sso)).rejects.toThrow(message);
  });
});

describe('an injected fault', () => {
  test('throttles the portal, and a bad token does not use it up', async () => {
    const local = await startSso();
    const { accessToken } = await signIn(local);
    const fault = local.faults.inject({
      kind: 'throttle',
      operation: 'sso',
      method: 'ListAccounts',
      retryAfter: 2,
    });
    await expect(listAccounts(local, 'unknown')).rejects.toMatchObject(BAD_TOKEN);
    expect(fault.hits).toBe(0);
    await listRoles(local, accessToken);
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject({
      name: 'TooManyRequestsException',
      $metadata: expectStatus(429),
    });
    await expect(listAccounts(local, accessToken)).resolves.toMatchObject({});
  });

  test.each([
    ['unauthorized', 'UnauthorizedException', 401],
    ['access-denied', 'ForbiddenException', 403],
    ['validation', 'InvalidRequestException', 400],
    ['not-found', 'ResourceNotFoundException', 404],
    ['internal', 'InternalServerException', 500],
  ] as const)('makes the portal answer %s', async (error, name, status) => {
    const local = await startSso();
    const { accessToken } = await signIn(local);
    local.faults.inject({ kind: 'platform-error', error, operation: 'sso' });
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject({
      name,
      $metadata: expectStatus(status),
    });
  });

  test('reports an expired token in the format of each service', async () => {
    const local = await startSso();
    const { client, accessToken, refreshToken } = await signIn(local);
    local.faults.inject({ kind: 'expired-credentials', operation: 'sso' });
    await expect(listAccounts(local, accessToken)).rejects.toMatchObject(BAD_TOKEN);
    local.faults.inject({ kind: 'expired-credentials', operation: 'sso-oidc' });
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(
      oidcError('ExpiredTokenException', 'expired_token'),
    );
  });

  test.each([
    ['throttled', 'SlowDownException', 'slow_down', 400],
    ['unauthorized', 'InvalidClientException', 'invalid_client', 401],
    ['access-denied', 'AccessDeniedException', 'access_denied', 400],
    ['validation', 'InvalidRequestException', 'invalid_request', 400],
    ['internal', 'InternalServerException', 'server_error', 500],
  ] as const)('makes SSO-OIDC answer %s', async (error, name, oauth, status) => {
    const local = await startSso();
    const { client, refreshToken } = await signIn(local);
    local.faults.inject({
      kind: 'platform-error',
      error,
      operation: 'sso-oidc',
      method: 'CreateToken',
    });
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(
      oidcError(name, oauth, status),
    );
  });

  test('loses the answer to a refresh that was done', async () => {
    const local = await startSso();
    const { client, refreshToken } = await signIn(local);
    local.faults.inject({ kind: 'reset', phase: 'after', operation: 'sso-oidc' });
    await expect(refresh(local, client, refreshToken)).rejects.toThrow();
    await expect(refresh(local, client, refreshToken)).rejects.toEqual(INVALID_GRANT);
  });

  test.each<[Fault, RegExp]>([
    [{ kind: 'throttle', operation: 'sso', method: 'CreateToken' }, /sso has only ListAccounts/],
    [{ kind: 'throttle', operation: 'sso-oidc', tool: 'x' }, /requests of sso-oidc have none/],
    [{ kind: 'cut', operation: 'sso' }, /cut has no effect on sso/],
  ])('is rejected if it cannot have an effect: %o', async (fault, message) => {
    const local = await startSso();
    expect(() => local.faults.inject(fault)).toThrow(message);
  });
});

describe('the credential providers of the SDK', () => {
  test.each([
    ['fromSSO', fromSSO],
    ['fromIni', fromIni],
  ])('%s gets credentials with the cached token of an sso-session', async (_, from) => {
    const local = await startSso();
    const home = await awsHome(local);
    await home.writeToken(cachedToken(local, await signIn(local)));
    const credentials = await from({ profile: 'developer' })();
    expect((await callerArn(local, credentials)).Arn).toContain('AWSReservedSSO_Developer_');
    const reader = await from({ profile: 'reader' })();
    expect((await callerArn(local, reader)).Arn).toContain('AWSReservedSSO_Reader_');
  });

  test('get credentials with the token of a legacy profile', async () => {
    const local = await startSso();
    const home = await awsHome(local);
    const token = cachedToken(local, await signIn(local));
    await home.writeToken(token, home.startUrl);
    const credentials = await fromSSO({ profile: 'legacy' })();
    expect((await callerArn(local, credentials)).Arn).toContain('AWSReservedSSO_Developer_');
  });

  test('refresh a token that expires soon, and cache the new one', async () => {
    const local = await startSso({ accessTokenDuration: 60 });
    const home = await awsHome(local);
    const signedIn = await signIn(local);
    await home.writeToken(cachedToken(local, signedIn));
    await fromSSO({ profile: 'developer' })();
    const cached = await home.readToken();
    expect(cached.refreshToken).toEqual(expect.stringMatching(/^aor/));
    expect(cached.refreshToken).not.toBe(signedIn.refreshToken);
    await expect(listAccounts(local, cached.accessToken ?? '')).resolves.toMatchObject({});
  });

  test('report an ended sign-in, a role without assignment, and a missing login', async () => {
    const local = await startSso();
    const home = await awsHome(local);
    await expect(fromSSO({ profile: 'developer' })()).rejects.toThrow(
      'The SSO session token associated with profile=developer was not found or is invalid',
    );
    await home.writeToken(cachedToken(local, await signIn(local)));
    await expect(fromSSO({ profile: 'stranger' })()).rejects.toThrow('No access');
    local.sso.revoke('ada');
    await expect(fromSSO({ profile: 'developer' })()).rejects.toThrow(
      'Session token not found or invalid',
    );
  });
});

test('no token, code or secret is in the log or in an event', async () => {
  const events: LocalEvent[] = [];
  const local = await startSso({}, {}, { listener: (event) => events.push(event) });
  const client = await register(local);
  const {
    deviceCode,
    userCode = '',
    verificationUriComplete = '',
  } = await startDevice(local, client);
  await fetch(verificationUriComplete);
  await submit(`${local.url}/device`, { user_code: userCode, user: 'ada', decision: 'approve' });
  const tokens = await pollDevice(local, client, deviceCode);
  const refreshed = await refresh(local, client, tokens.refreshToken);
  const { challenge } = pkce();
  const approved = await submit(
    authorizeUrl(local, client, { code_challenge: challenge, state: 'a-secret-state' }),
    { user: 'ada', decision: 'approve' },
  );
  const code = new URL(approved.headers.get('location') ?? '').searchParams.get('code');
  const credentials = await roleCredentials(local, tokens.accessToken ?? '');
  await callerArn(local, credentials);
  const secrets = [
    client.clientSecret,
    deviceCode,
    userCode,
    code,
    'a-secret-state',
    tokens.accessToken,
    tokens.refreshToken,
    refreshed.refreshToken,
    credentials.secretAccessKey,
    credentials.sessionToken,
  ];
  const told = JSON.stringify([local.requests, events]);
  expect(local.requests.map(({ operation }) => operation)).toContain('sso');
  for (const secret of secrets) {
    expect(secret).toBeTruthy();
    expect(told).not.toContain(secret);
    expect(told).not.toContain(encodeURIComponent(secret ?? ''));
  }
});
