import { createHash } from 'node:crypto';
import { CreateTokenCommand } from '@aws-sdk/client-sso-oidc';
import { describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import {
  authorizeUrl,
  oidc,
  pkce,
  pollDevice,
  register,
  startDevice,
  startSso,
  submit,
} from './sso-harness.ts';

const APPROVE = { user: 'ada', decision: 'approve' };

function locationOf(answer: Response): URL {
  return new URL(answer.headers.get('location') ?? '');
}

/** Checks the rules of every page: no script, no external content, and accessible markup. */
async function readPage(answer: Response): Promise<string> {
  const text = await answer.text();
  const policy = answer.headers.get('content-security-policy') ?? '';
  const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(policy).toMatch(/^default-src 'none'; /);
  expect(policy).toContain(`style-src 'sha256-${hash}'`);
  expect(policy).toContain("frame-ancestors 'none'");
  expect(text).toContain('<html lang="en">');
  expect(text.match(/<h1>/g)).toHaveLength(1);
  expect(text).not.toMatch(/<script|<link|<img|src=|style=/);
  return text;
}

describe('the authorization page', () => {
  test('names the client, the scope and the target of the answer', async () => {
    const local = await startSso();
    const client = await register(local, { clientName: 'my <b>editor</b>' });
    const answer = await fetch(authorizeUrl(local, client));
    const text = await readPage(answer);
    expect(answer.status).toBe(200);
    expect(text).toContain('my &lt;b&gt;editor&lt;/b&gt;');
    expect(text).toContain('sso:account:access');
    expect(text).toContain('127.0.0.1:50123');
    expect(text).toMatch(
      /<input type="radio" name="user" value="ada" required> ada <small>Development, Production/,
    );
    expect(text).toContain('<legend>Sign in as</legend>');
  });

  test('allows its form to lead to the redirect URI, because browsers apply the policy to redirects', async () => {
    const local = await startSso();
    const client = await register(local, {
      redirectUris: ['http://127.0.0.1/oauth/callback', 'http://[::1]/oauth/callback'],
    });
    const policyFor = async (redirectUri: string) => {
      const answer = await fetch(authorizeUrl(local, client, { redirect_uri: redirectUri }));
      return /form-action ([^;]+)/.exec(answer.headers.get('content-security-policy') ?? '')?.[1];
    };
    expect(await policyFor('http://127.0.0.1:50123/oauth/callback')).toBe(
      "'self' http://127.0.0.1:50123",
    );
    expect(await policyFor('http://[::1]:50123/oauth/callback')).toBe("'self' http:");
  });

  test('selects the user if there is only one', async () => {
    const local = await startSso({ users: { ada: {} } });
    const text = await readPage(await fetch(authorizeUrl(local, await register(local))));
    expect(text).toContain('value="ada" required checked> ada <small>no accounts');
  });

  test('redirects to the client on approval, on any port', async () => {
    const local = await startSso();
    const client = await register(local);
    const { verifier, challenge } = pkce();
    const redirectUri = 'http://127.0.0.1:61234/oauth/callback';
    const url = authorizeUrl(local, client, {
      redirect_uri: redirectUri,
      code_challenge: challenge,
      state: 'a state & more',
    });
    const answer = await submit(url, APPROVE, { 'sec-fetch-site': 'same-origin' });
    expect(answer.status).toBe(303);
    const { origin, pathname, searchParams } = locationOf(answer);
    expect(origin + pathname).toBe(redirectUri);
    expect(searchParams.get('state')).toBe('a state & more');
    const { accessToken } = await oidc(local).send(
      new CreateTokenCommand({
        ...client,
        grantType: 'authorization_code',
        code: searchParams.get('code') ?? '',
        codeVerifier: verifier,
        redirectUri,
      }),
    );
    expect(accessToken).toBeTruthy();
    expect(local.sso.tokens).toMatchObject([{ user: 'ada' }]);
  });

  test('redirects to the client on denial', async () => {
    const local = await startSso();
    const answer = await submit(authorizeUrl(local, await register(local)), { decision: 'deny' });
    const { searchParams } = locationOf(answer);
    expect(Object.fromEntries(searchParams)).toEqual({
      error: 'access_denied',
      error_description: 'The user has denied access',
      state: 'a-state',
    });
  });

  test('is shown again if no user was selected', async () => {
    const local = await startSso();
    const url = authorizeUrl(local, await register(local));
    for (const form of [
      { decision: 'approve' },
      { ...APPROVE, user: 'toString' },
      { user: 'ada' },
    ]) {
      const answer = await submit(url, form);
      expect(answer.status).toBe(400);
      expect(await readPage(answer)).toContain('<p role="alert">Choose who signs in.</p>');
    }
  });

  test.each([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['no PKCE', { code_challenge: undefined }, 'invalid_request'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a scope that is not registered', { scopes: 'other:scope' }, 'invalid_scope'],
  ])('redirects to the client with an error for %s', async (_, more, error) => {
    const local = await startSso();
    const url = authorizeUrl(local, await register(local), more);
    const answer = await fetch(url, { redirect: 'manual' });
    expect(answer.status).toBe(303);
    expect(locationOf(answer).searchParams.get('error')).toBe(error);
    expect(locationOf(answer).searchParams.get('state')).toBe('a-state');
  });

  test('redirects with an error for a client that may not use it', async () => {
    const local = await startSso();
    const client = await register(local, { grantTypes: ['refresh_token'] });
    const answer = await fetch(authorizeUrl(local, client), { redirect: 'manual' });
    expect(locationOf(answer).searchParams.get('error')).toBe('unauthorized_client');
  });

  test.each([
    ['another path', 'http://127.0.0.1:50123/other'],
    ['another machine', 'http://192.0.2.1/oauth/callback'],
    ['another loopback name', 'http://localhost:50123/oauth/callback'],
    ['a host behind a user', 'http://127.0.0.1@example.com/oauth/callback'],
    ['nothing', ''],
  ])('never redirects to %s', async (_, redirectUri) => {
    const local = await startSso();
    const url = authorizeUrl(local, await register(local), { redirect_uri: redirectUri });
    for (const answer of [await fetch(url, { redirect: 'manual' }), await submit(url, APPROVE)]) {
      expect(answer.status).toBe(400);
      expect(answer.headers.get('location')).toBeNull();
      expect(await readPage(answer)).toContain('has not registered its redirect URI');
    }
  });

  test('rejects a client whose registration is unknown or expired', async () => {
    const clock = new ManualClock();
    const local = await startSso({ registrationDuration: 60 }, {}, { clock });
    const url = authorizeUrl(local, await register(local));
    clock.advance(60_000);
    const answer = await fetch(url);
    expect(answer.status).toBe(400);
    expect(await readPage(answer)).toContain('The program is not registered, or no longer.');
  });

  test('rejects a form from another site', async () => {
    const local = await startSso();
    const url = authorizeUrl(local, await register(local));
    const answer = await submit(url, APPROVE, { 'sec-fetch-site': 'cross-site' });
    expect(answer.status).toBe(403);
    expect(await readPage(answer)).toContain('The form came from another page.');
  });
});

describe('the device page', () => {
  async function waitingDevice() {
    const local = await startSso();
    const client = await register(local);
    const {
      deviceCode,
      userCode = '',
      verificationUriComplete = '',
    } = await startDevice(local, client);
    const page = `${local.url}/device`;
    return { local, client, deviceCode, userCode, verificationUriComplete, page };
  }

  test('asks for the code, and is shown at the start URL', async () => {
    const { local, page } = await waitingDevice();
    for (const url of [page, local.sso.startUrl]) {
      const text = await readPage(await fetch(url));
      expect(text).toContain('<label for="user-code">Code</label>');
    }
  });

  test('shows the code for comparison, and decides nothing by itself', async () => {
    const { local, page, userCode, verificationUriComplete } = await waitingDevice();
    const typed = ` ${userCode.toLowerCase().replace('-', ' ')}`;
    for (const answer of [
      await fetch(verificationUriComplete),
      await submit(page, { user_code: typed }),
    ]) {
      const text = await readPage(answer);
      expect(text).toContain(`<code>${userCode}</code>`);
      expect(text).toContain('<strong>a test</strong>');
      expect(text).toContain('value="ada"');
    }
    const byLink = await fetch(`${verificationUriComplete}&user=ada&decision=approve`);
    expect(await readPage(byLink)).toContain('Is this the code that you see?');
    expect(local.sso.waiting).toHaveLength(1);
  });

  test('approves the device', async () => {
    const { local, client, deviceCode, userCode, page } = await waitingDevice();
    const answer = await submit(page, { user_code: userCode, ...APPROVE });
    expect(answer.status).toBe(200);
    expect(await readPage(answer)).toContain('<h1>Access allowed</h1>');
    await expect(pollDevice(local, client, deviceCode)).resolves.toMatchObject({
      tokenType: 'Bearer',
    });
    expect(local.sso.tokens).toMatchObject([{ user: 'ada' }]);
  });

  test('denies the device', async () => {
    const { local, client, deviceCode, userCode, page } = await waitingDevice();
    const answer = await submit(page, { user_code: userCode, decision: 'deny' });
    expect(await readPage(answer)).toContain('<h1>Access denied</h1>');
    await expect(pollDevice(local, client, deviceCode)).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
  });

  test('is shown again if no user was selected', async () => {
    const { local, userCode, page } = await waitingDevice();
    const answer = await submit(page, { user_code: userCode, decision: 'approve' });
    expect(answer.status).toBe(400);
    expect(await readPage(answer)).toContain('Choose who signs in.');
    expect(local.sso.waiting).toHaveLength(1);
  });

  test('rejects a code that is wrong or used', async () => {
    const { userCode, page } = await waitingDevice();
    await submit(page, { user_code: userCode, ...APPROVE });
    for (const code of ['WRNG-CDXX', userCode, '']) {
      const answer = await submit(page, { user_code: code, ...APPROVE });
      expect(answer.status).toBe(400);
      expect(await readPage(answer)).toContain('No device waits with this code.');
    }
  });

  test('rejects a form from another site', async () => {
    const { local, userCode, page } = await waitingDevice();
    const form = { user_code: userCode, ...APPROVE };
    expect((await submit(page, form, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(local.sso.waiting).toHaveLength(1);
  });
});
