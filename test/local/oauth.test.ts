import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { read, type Sent, start } from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const OAUTH = {
  clients: {
    ci: { secret: 'the secret:of/ci+', scopes: ['read', 'write'], audience: ['a', 'b'] },
    desk: { secret: 'the-secret-of-desk', refreshTokens: true, tokenDuration: 60 },
  },
} satisfies LocalConfig['oauth'];

const CI = { client_id: 'ci', client_secret: OAUTH.clients.ci.secret };
const DESK = { client_id: 'desk', client_secret: OAUTH.clients.desk.secret };

type Fields = Readonly<Record<string, string>>;

function post(local: LocalRuntime, fields: Fields, headers: Fields = {}, path = '/token') {
  const body = new URLSearchParams(fields);
  return read(fetch(local.oauth.issuer + path, { method: 'POST', headers, body }));
}

function ask(local: LocalRuntime, fields: Fields, headers: Fields = {}) {
  return post(local, { grant_type: 'client_credentials', ...fields }, headers);
}

function basic(id: string, secret: string): Fields {
  const pair = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in: number;
  readonly token_type: string;
  readonly scope?: string;
}

function tokens({ text }: Sent): Tokens {
  return JSON.parse(text);
}

describe('the token endpoint', () => {
  test.each([
    ['HTTP Basic', {}, basic('ci', CI.client_secret)],
    ['the body', CI, {}],
  ])('issues a token to a client that authenticates with %s', async (_, fields, headers) => {
    const local = await start({}, { oauth: OAUTH });
    const sent = await ask(local, fields, headers);
    expect(sent.status).toBe(200);
    expect(sent.headers.get('cache-control')).toBe('no-store');
    expect(tokens(sent)).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'read write',
    });
    const keys = createRemoteJWKSet(new URL(`${local.oauth.issuer}/jwks.json`));
    const { payload } = await jwtVerify(tokens(sent).access_token, keys, {
      issuer: local.oauth.issuer,
      audience: 'b',
    });
    expect(payload).toMatchObject({ client_id: 'ci', sub: 'ci', scope: 'read write' });
  });

  test('issues the requested scopes, limited to those of the client', async () => {
    const local = await start({}, { oauth: OAUTH });
    expect(tokens(await ask(local, { ...CI, scope: 'write' })).scope).toBe('write');
    const refused = await ask(local, { ...CI, scope: 'write admin' });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('"error":"invalid_scope"');
  });

  test.each([
    ['an unknown client', { ...CI, client_id: 'nobody' }, {}],
    ['another secret', { ...CI, client_secret: 'another' }, {}],
    ['no secret', { client_id: 'ci' }, {}],
    ['both ways at once', CI, basic('ci', CI.client_secret)],
  ])('rejects %s', async (_, fields: Fields, headers: Fields) => {
    const local = await start({}, { oauth: OAUTH });
    const refused = await ask(local, fields, headers);
    expect(refused.status).toBe(401);
    expect(refused.text).toContain('"error":"invalid_client"');
    expect(refused.text).not.toContain(CI.client_secret);
  });

  test('rejects an unknown grant, a body that is not a form, and any method but POST', async () => {
    const local = await start({}, { oauth: OAUTH });
    expect((await post(local, CI)).text).toContain('"error":"invalid_request"');
    const password = { ...CI, grant_type: 'password' };
    expect((await post(local, password)).text).toContain('"error":"unsupported_grant_type"');
    const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect((await fetch(local.oauth.tokenUrl, json)).status).toBe(400);
    const got = await fetch(local.oauth.tokenUrl);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('is named by both well-known documents, in both of their places', async () => {
    const local = await start({}, { oauth: OAUTH });
    const { issuer, tokenUrl, discoveryUrl } = local.oauth;
    for (const url of [
      discoveryUrl,
      `${issuer}/.well-known/oauth-authorization-server`,
      `${local.url}/.well-known/oauth-authorization-server/oauth`,
      `${local.url}/.well-known/openid-configuration/oauth`,
    ]) {
      expect(await (await fetch(url)).json()).toMatchObject({
        issuer,
        token_endpoint: tokenUrl,
        jwks_uri: `${issuer}/jwks.json`,
        scopes_supported: ['read', 'write'],
        grant_types_supported: ['client_credentials', 'refresh_token'],
      });
    }
  });

  test('can be throttled, slow, or broken, without an effect on other endpoints', async () => {
    const local = await start({}, { oauth: OAUTH });
    local.faults.inject({ kind: 'status', status: 503, operation: 'oauth', method: 'token' });
    expect((await fetch(local.oauth.discoveryUrl)).status).toBe(200);
    expect((await ask(local, CI)).status).toBe(503);
    expect((await ask(local, CI)).status).toBe(200);
    expect(() =>
      local.faults.inject({ kind: 'throttle', operation: 'oauth', method: 'login' }),
    ).toThrow('oauth has only metadata, jwks, token, revoke');
  });
});

describe('a refresh token', () => {
  const refresh = (local: LocalRuntime, token: string | undefined, client: Fields = DESK) =>
    post(local, { ...client, grant_type: 'refresh_token', refresh_token: token ?? '' });

  test('is issued if the client is configured for it, and is valid for one use', async () => {
    const local = await start({}, { oauth: OAUTH });
    expect(tokens(await ask(local, CI)).refresh_token).toBeUndefined();
    const first = tokens(await ask(local, DESK));
    expect(first.expires_in).toBe(60);
    const second = tokens(await refresh(local, first.refresh_token));
    expect(decodeJwt(second.access_token)).toMatchObject({ client_id: 'desk' });
    expect(second.refresh_token).not.toBe(first.refresh_token);
    const again = await refresh(local, first.refresh_token);
    expect([again.status, JSON.parse(again.text).error]).toEqual([400, 'invalid_grant']);
    expect((await refresh(local, second.refresh_token)).status).toBe(200);
  });

  test('is valid for its client alone, and expires', async () => {
    const clock = new ManualClock();
    const local = await start({}, { oauth: { ...OAUTH, refreshDuration: 600 } }, { clock });
    const { refresh_token: token } = tokens(await ask(local, DESK));
    expect((await refresh(local, token, CI)).text).toContain('invalid_grant');
    clock.advance(600_000);
    expect((await refresh(local, token)).text).toContain('invalid_grant');
  });

  test('is invalid once it or its client is revoked', async () => {
    const local = await start({}, { oauth: OAUTH });
    const { refresh_token: revoked } = tokens(await ask(local, DESK));
    const { refresh_token: other } = tokens(await ask(local, DESK));
    expect((await post(local, { ...DESK, token: revoked ?? '' }, {}, '/revoke')).status).toBe(200);
    expect((await refresh(local, revoked)).text).toContain('invalid_grant');
    local.oauth.revokeClient('desk');
    expect((await refresh(local, other)).text).toContain('invalid_client');
  });
});

test('no secret and no token of the OAuth server is in the request log', async () => {
  const local = await start({}, { oauth: OAUTH });
  const given = tokens(await ask(local, DESK));
  await ask(local, {}, basic('ci', CI.client_secret));
  const told = JSON.stringify(local.requests);
  expect(local.requests).toHaveLength(2);
  for (const secret of [
    DESK.client_secret,
    basic('ci', CI.client_secret).authorization?.slice(6),
    given.access_token,
    given.refresh_token,
  ]) {
    expect(secret).toBeTruthy();
    expect(told).not.toContain(secret);
  }
});
