import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalEvent } from '../../src/local/core/events.ts';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  httpAgent,
  INITIALIZE,
  poster,
  RUNTIME_SESSION,
  read,
  type Sent,
  signingFetch,
  start,
  statelessMcp,
} from './harness.ts';
import { ManualClock } from './manual-clock.ts';

const OAUTH: LocalConfig['oauth'] = {
  clients: {
    ci: { secret: 'the-secret-of-ci', scopes: ['tools/read', 'tools/call'], audience: 'tools' },
    other: { secret: 'the-secret-of-other' },
  },
};

const UNAUTHORIZED = {
  jsonrpc: '2.0',
  id: 1,
  error: { code: -32001, message: 'Authentication error - Invalid credentials' },
};

/** Invokes with or without a bearer token. */
function invoke(
  local: LocalRuntime,
  token?: string,
  { runtime = 'notes', body = INITIALIZE as unknown } = {},
): Promise<Sent> {
  return read(
    fetch(local.runtime(runtime).invocationUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    }),
  );
}

async function tokenOf(local: LocalRuntime, request: object = {}): Promise<string> {
  const { accessToken } = await local.oauth.issue({ clientId: 'ci', ...request });
  return accessToken;
}

function metadataUrl(sent: Sent): string {
  const challenge = sent.headers.get('www-authenticate') ?? '';
  return /^Bearer resource_metadata="([^"]+)"$/.exec(challenge)?.[1] ?? '';
}

/** The fields that tests read of the metadata documents and of the token response. */
interface Documents {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly scopes_supported: readonly string[];
  readonly token_endpoint: string;
  readonly access_token: string;
}

async function documentOf(pending: Promise<Response>): Promise<Documents> {
  return (await (await pending).json()) as Documents;
}

describe('a runtime with JWT authorization', () => {
  test('accepts a token, and rejects a signature', async () => {
    const local = await start({ notes: statelessMcp({ authorizer: 'JWT' }) }, { oauth: OAUTH });
    expect((await invoke(local, await tokenOf(local))).status).toBe(200);
    expect(await read(poster(local, 'notes')(INITIALIZE))).toMatchObject({
      status: 403,
      json: { error: { code: -32002 } },
    });
    expect(local.requests.at(-1)?.refusal).toContain('Authorization method mismatch');
  });

  test('does not share tokens with a runtime that has IAM authorization', async () => {
    const local = await start({ agent: httpAgent() }, { oauth: OAUTH });
    const sent = await invoke(local, await tokenOf(local), { runtime: 'agent', body: {} });
    expect(sent.status).toBe(403);
    expect(sent.json.message).toMatch(/^Authorization method mismatch\. The agent is configured/);
  });

  test('refers a client without a token through its metadata to the authorization server', async () => {
    const local = await start(
      { notes: statelessMcp({ authorizer: { allowedScopes: ['tools/call'] } }) },
      { oauth: OAUTH },
    );
    const refused = await invoke(local);
    expect(refused).toMatchObject({ status: 401, json: UNAUTHORIZED });
    const { invocationUrl } = local.runtime('notes');
    expect(metadataUrl(refused)).toBe(
      invocationUrl.replace('?', '/.well-known/oauth-protected-resource?'),
    );
    const resource = await documentOf(fetch(metadataUrl(refused)));
    expect(resource).toEqual({
      resource: invocationUrl,
      authorization_servers: [local.oauth.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['tools/call'],
    });
    const [server] = resource.authorization_servers;
    const metadata = await documentOf(fetch(`${server}/.well-known/openid-configuration`));
    const token = fetch(metadata.token_endpoint, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'ci',
        client_secret: 'the-secret-of-ci',
        scope: resource.scopes_supported.join(' '),
      }),
    });
    const { access_token: accessToken } = await documentOf(token);
    expect((await invoke(local, accessToken)).status).toBe(200);
  });

  test('names the requested endpoint in its metadata', async () => {
    const local = await start(
      { notes: statelessMcp({ authorizer: 'JWT', endpoints: ['DEFAULT', 'beta'] }) },
      { oauth: OAUTH },
    );
    const url = local.runtime('notes').invocationUrl.replace('DEFAULT', 'beta');
    const headers = { 'content-type': 'application/json' };
    const refused = await read(fetch(url, { method: 'POST', headers, body: '{}' }));
    expect(metadataUrl(refused)).toMatch(/oauth-protected-resource\?qualifier=beta$/);
    expect((await documentOf(fetch(metadataUrl(refused)))).resource).toBe(url);
  });

  test('rejects an HTTP client in the form of its protocol', async () => {
    const local = await start({ agent: httpAgent({ authorizer: 'JWT' }) }, { oauth: OAUTH });
    const sent = await invoke(local, 'not-a-token', { runtime: 'agent', body: {} });
    expect(sent.status).toBe(401);
    expect(sent.headers.get('x-amzn-errortype')).toBe('UnauthorizedException');
    expect(metadataUrl(sent)).toContain('/invocations/.well-known/oauth-protected-resource');
    const good = await tokenOf(local);
    expect((await invoke(local, good, { runtime: 'agent', body: {} })).status).toBe(200);
  });

  test('has no metadata if it has IAM authorization', async () => {
    const local = await start({ notes: statelessMcp() });
    const url = local
      .runtime('notes')
      .invocationUrl.replace('?', '/.well-known/oauth-protected-resource?');
    expect((await fetch(url)).status).toBe(404);
  });

  test('is described by the control plane with the requirements of its authorizer', async () => {
    const authorizer = { allowedAudience: ['tools'], allowedClients: ['ci'] };
    const local = await start({ notes: statelessMcp({ authorizer }) }, { oauth: OAUTH });
    const { url: endpoint, region, credentials } = local;
    const client = new BedrockAgentCoreControlClient({ endpoint, region, credentials });
    onTestFinished(() => client.destroy());
    const { runtimeId: agentRuntimeId } = local.runtime('notes');
    const told = await client.send(new GetAgentRuntimeCommand({ agentRuntimeId }));
    expect(told.authorizerConfiguration).toEqual({
      customJWTAuthorizer: { discoveryUrl: local.oauth.discoveryUrl, ...authorizer },
    });
  });
});

describe('a token is rejected', () => {
  const AUTHORIZER = {
    allowedAudience: ['tools'],
    allowedClients: ['ci'],
    allowedScopes: ['tools/call'],
  };

  test.each([
    ['that has expired', { expiresIn: -1 }, 'token-expired'],
    ['that is not valid yet', { validIn: 60 }, 'token-not-yet-valid'],
    ['of another issuer', { claims: { iss: 'https://issuer.example' } }, 'token-issuer'],
    ['for another audience', { audience: 'another' }, 'token-claims'],
    ['of another client', { clientId: 'other', audience: 'tools' }, 'token-claims'],
    ['without the required scope', { scopes: ['tools/read'] }, 'token-claims'],
  ])('%s', async (_, request, why) => {
    const events: LocalEvent[] = [];
    const local = await start(
      { notes: statelessMcp({ authorizer: AUTHORIZER }) },
      { oauth: OAUTH },
      { listener: (event) => events.push(event) },
    );
    expect((await invoke(local, await tokenOf(local))).status).toBe(200);
    const refused = await invoke(local, await tokenOf(local, request));
    expect(refused).toMatchObject({ status: 401, json: UNAUTHORIZED });
    expect(metadataUrl(refused)).not.toBe('');
    expect(events.filter(({ type }) => type === 'token-refused')).toMatchObject([{ why }]);
  });

  test.each([
    ['that was tampered with', (token: string) => `${token.slice(0, -6)}AAAAAA`],
    ['that is not a JWT', () => 'not-a-token'],
  ])('%s', async (_, changed) => {
    const local = await start({ notes: statelessMcp({ authorizer: 'JWT' }) }, { oauth: OAUTH });
    const token = changed(await tokenOf(local));
    expect(await invoke(local, token)).toMatchObject({ status: 401, json: UNAUTHORIZED });
  });

  test('once it has expired by the local clock', async () => {
    const clock = new ManualClock();
    const local = await start(
      { notes: statelessMcp({ authorizer: 'JWT' }) },
      { oauth: { ...OAUTH, tokenDuration: 60 } },
      { clock },
    );
    const token = await tokenOf(local);
    clock.advance(59_000);
    expect((await invoke(local, token)).status).toBe(200);
    clock.advance(1000);
    expect((await invoke(local, token)).status).toBe(401);
  });

  test('unless the permitted clock skew covers the difference', async () => {
    const local = await start(
      { notes: statelessMcp({ authorizer: 'JWT', switches: { jwtLeeway: 30 } }) },
      { oauth: OAUTH },
    );
    expect((await invoke(local, await tokenOf(local, { expiresIn: -10 }))).status).toBe(200);
    expect((await invoke(local, await tokenOf(local, { expiresIn: -60 }))).status).toBe(401);
    local.setClockSkew(3600);
    expect((await invoke(local, await tokenOf(local))).status).toBe(200);
  });

  test('with the name of the claim, if a switch is set', async () => {
    const switches = { jwtClaimErrors: 'access-denied' } as const;
    const local = await start(
      { agent: httpAgent({ authorizer: AUTHORIZER, switches }) },
      { oauth: OAUTH },
    );
    const token = await tokenOf(local, { audience: 'another' });
    expect(await invoke(local, token, { runtime: 'agent', body: {} })).toMatchObject({
      status: 403,
      json: { message: expect.stringContaining("Claim 'aud' value mismatch with configuration") },
    });
  });

  test.each([
    ['accept', 200],
    ['refuse', 401],
  ] as const)('after its revocation, with revokedTokens: %s', async (revokedTokens, status) => {
    const local = await start(
      { notes: statelessMcp({ authorizer: 'JWT', switches: { revokedTokens } }) },
      { oauth: OAUTH },
    );
    const token = await tokenOf(local);
    local.oauth.revoke(token);
    expect((await invoke(local, token)).status).toBe(status);
    expect((await invoke(local, await tokenOf(local))).status).toBe(200);
  });

  test('once its key is no longer published', async () => {
    const local = await start({ notes: statelessMcp({ authorizer: 'JWT' }) }, { oauth: OAUTH });
    const token = await tokenOf(local);
    await local.oauth.rotateKeys();
    expect((await invoke(local, token)).status).toBe(200);
    await local.oauth.rotateKeys({ keepOld: false });
    expect((await invoke(local, token)).status).toBe(401);
    expect((await invoke(local, await tokenOf(local))).status).toBe(200);
  });
});

test('a runtime accepts tokens of another issuer, whose keys it finds through the discovery URL', async () => {
  const issuer = await start({}, { oauth: OAUTH });
  const local = await start(
    { notes: statelessMcp({ authorizer: { discoveryUrl: issuer.oauth.discoveryUrl } }) },
    { oauth: OAUTH },
  );
  expect((await invoke(local, await tokenOf(issuer))).status).toBe(200);
  expect((await invoke(local, await tokenOf(local))).status).toBe(401);
  const resource = await documentOf(fetch(metadataUrl(await invoke(local))));
  expect(resource.authorization_servers).toEqual([issuer.oauth.issuer]);
});

test('an unreachable issuer makes the runtime reject all tokens, and is requested again', async () => {
  const issuer = await start({}, { oauth: OAUTH });
  const local = await start({
    notes: statelessMcp({ authorizer: { discoveryUrl: issuer.oauth.discoveryUrl } }),
  });
  const token = await tokenOf(issuer);
  issuer.faults.inject({ kind: 'status', status: 503, operation: 'oauth', method: 'metadata' });
  expect((await invoke(local, token)).status).toBe(401);
  expect(local.requests.at(-1)?.refusal).toMatch(/^could not read http/);
  expect((await invoke(local, token)).status).toBe(200);
});

test.each([
  ['bearer', true, false],
  ['sigv4', false, true],
  ['either', true, true],
] as const)(
  'a session is stopped by %s, according to stopJwtBy',
  async (stopJwtBy, byToken, bySignature) => {
    const local = await start(
      { notes: statelessMcp({ authorizer: 'JWT', switches: { stopJwtBy } }) },
      { oauth: OAUTH },
    );
    const token = await tokenOf(local);
    const url = local.runtime('notes').invocationUrl.replace('/invocations', '/stopruntimesession');
    const authorization = `Bearer ${token}`;
    for (const [fetched, headers, allowed] of [
      [fetch, { authorization }, byToken],
      [signingFetch(local), {}, bySignature],
    ] as const) {
      const id = (await invoke(local, token)).headers.get(RUNTIME_SESSION) ?? '';
      const stopped = await fetched(url, {
        method: 'POST',
        headers: { ...headers, [RUNTIME_SESSION]: id },
      });
      expect(stopped.status).toBe(allowed ? 200 : 403);
      const session = local.sessions().find(({ runtimeSessionId }) => runtimeSessionId === id);
      expect(session?.state).toBe(allowed ? 'Stopped' : 'Idle');
    }
  },
);

test('no token is in the request log or in an event', async () => {
  const events: LocalEvent[] = [];
  const local = await start(
    { notes: statelessMcp({ authorizer: 'JWT' }) },
    { oauth: OAUTH },
    { listener: (event) => events.push(event) },
  );
  const good = await tokenOf(local);
  const bad = await tokenOf(local, { expiresIn: -1 });
  await invoke(local, good);
  await invoke(local, bad);
  const told = JSON.stringify([local.requests, events]);
  expect(told).toContain('token-refused');
  for (const token of [good, bad]) expect(told).not.toContain(token.split('.')[2]);
});
