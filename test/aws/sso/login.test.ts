import { existsSync } from 'node:fs';
import { fromSSO } from '@aws-sdk/credential-providers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Login, login } from '../../../src/aws/sso/login.ts';
import {
  getTokenPath,
  readLoginStatus,
  readToken,
  writeToken,
} from '../../../src/aws/sso/token-cache.ts';
import { CONFIG, HOUR, Home, NEVER, SleepingClock, START_URL } from './home.ts';
import { ScriptedIdentityCenter } from './scripted-identity-center.ts';
import { ScriptedPerson } from './scripted-person.ts';

afterEach(() => void vi.unstubAllEnvs());

async function setUp(config = CONFIG) {
  const center = await ScriptedIdentityCenter.start();
  return { center, home: new Home(config, center.url) };
}

type Options = {
  readonly device?: boolean;
  readonly force?: boolean;
  readonly clock?: SleepingClock;
  readonly signal?: AbortSignal;
};

async function signIn(home: Home, person: ScriptedPerson, options: Options = {}): Promise<Login> {
  const { clock, signal = NEVER, ...rest } = options;
  return login(await home.session(), person, { context: home.context(clock), signal, ...rest });
}

describe('a browser login', () => {
  it('writes the token to the cache of the AWS CLI, with the data for its refresh', async () => {
    const { center, home } = await setUp();
    const person = new ScriptedPerson();
    expect(await signIn(home, person)).toEqual({ how: 'browser', until: expect.any(Date) });
    const token = await home.tokenOnFile();
    expect(token).toEqual({
      startUrl: START_URL,
      region: 'eu-west-1',
      accessToken: expect.stringMatching(/^access-/),
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      clientId: expect.stringMatching(/^client-/),
      clientSecret: expect.stringMatching(/^client-secret-/),
      registrationExpiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      refreshToken: expect.stringMatching(/^refresh-/),
    });
    const left = Date.parse(token.expiresAt ?? '') - Date.now();
    expect(left).toBeGreaterThan(0.99 * HOUR);
    expect(left).toBeLessThanOrEqual(HOUR);
    expect(await person.answer).toMatchObject({
      status: 200,
      text: expect.stringContaining('<h1>Signed in</h1>'),
    });
    expect(center.to('/client/register')[0]?.body).toEqual({
      clientName: 'AgentCore MCP',
      clientType: 'public',
      scopes: ['sso:account:access'],
      grantTypes: ['authorization_code', 'refresh_token'],
      redirectUris: ['http://127.0.0.1/oauth/callback'],
      issuerUrl: START_URL,
    });
    expect(Object.fromEntries(center.to('/authorize')[0]?.query ?? [])).toEqual({
      response_type: 'code',
      client_id: token.clientId,
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/oauth\/callback$/),
      state: expect.stringMatching(/^[\w-]{36}$/),
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      scopes: 'sso:account:access',
    });
  });

  it('works with the SDK’s own credential provider', async () => {
    const { center, home } = await setUp();
    await signIn(home, new ScriptedPerson());
    for (const [name, value] of Object.entries(home.env)) vi.stubEnv(name, value);
    vi.stubEnv('AWS_CONFIG_FILE', home.config);
    const credentials = await fromSSO({ profile: 'work', ignoreCache: true })();
    expect(credentials.sessionToken).toBe('for Developer in 111122223333');
    expect(center.to('/token')).toHaveLength(1);
  });

  it('is cached by the start URL if a profile contains the start URL itself', async () => {
    const { home } = await setUp(
      `[profile work]\nsso_start_url = ${START_URL}\nsso_region = eu-west-1\n`,
    );
    await signIn(home, new ScriptedPerson());
    // The output of `printf URL | sha1sum`.
    expect(existsSync(`${home.path}/.aws/sso/cache/${await sha1(START_URL)}.json`)).toBe(true);
  });

  it('registers one client for all logins', async () => {
    const { center, home } = await setUp();
    await signIn(home, new ScriptedPerson());
    await signIn(home, new ScriptedPerson(), { force: true });
    expect(center.to('/client/register')).toHaveLength(1);
    expect(center.to('/authorize')).toHaveLength(2);
  });

  it('falls back to a device code if no page can be shown', async () => {
    const { center, home } = await setUp();
    for (const browse of [
      () => false,
      () => {
        throw new Error('no browser');
      },
    ]) {
      const person = new ScriptedPerson(browse);
      const { how } = await signIn(home, person, { clock: new SleepingClock(), force: true });
      expect(how).toBe('device');
      expect(person.codes).toHaveLength(1);
    }
    expect(center.to('/authorize')).toHaveLength(0);
  });

  it('fails if the user denies it, and the browser shows this', async () => {
    const { home } = await setUp();
    const person = new ScriptedPerson((url) => {
      const { searchParams } = new URL(url);
      const state = searchParams.get('state');
      return fetch(`${searchParams.get('redirect_uri')}?error=access_denied&state=${state}`);
    });
    await expect(signIn(home, person)).rejects.toMatchObject({
      code: 'credentials',
      message:
        'The sign-in to SSO session "corp" was refused (access_denied): run "agentcore-mcp login --profile work" to try again',
    });
    expect((await person.answer)?.text).toContain('<h1>Not signed in</h1>');
    expect(await readToken(await home.session(), home.env)).toBeUndefined();
  });

  it('shows in the browser that the authorization code was rejected', async () => {
    const { center, home } = await setUp();
    center.spoil('/token', { status: 400, type: 'InvalidGrantException' });
    const person = new ScriptedPerson();
    await expect(signIn(home, person)).rejects.toMatchObject({
      code: 'credentials',
      message: 'Could not sign in: Scripted InvalidGrantException',
    });
    expect(await person.answer).toMatchObject({ status: 400 });
  });

  it('ignores a callback that it did not request, and continues to wait', async () => {
    const { home } = await setUp();
    const statuses: number[] = [];
    const person = new ScriptedPerson(async (url) => {
      const redirectUri = new URL(url).searchParams.get('redirect_uri') ?? '';
      for (const target of [
        `${redirectUri}?code=stolen&state=guessed`,
        `${redirectUri}?code=stolen`,
        `${redirectUri}?error=access_denied&state=guessed`,
        `${redirectUri}?error=access_denied`,
        `${redirectUri}?error=access_denied&state=`,
        new URL('/favicon.ico', redirectUri),
      ]) {
        statuses.push((await fetch(target)).status);
      }
      statuses.push((await fetch(redirectUri, { method: 'POST' })).status);
      return fetch(url);
    });
    expect((await signIn(home, person)).how).toBe('browser');
    expect(statuses).toEqual([400, 400, 400, 400, 400, 404, 404]);
  });
});

describe('a device code login', () => {
  it('shows the code, and polls at the interval that the server sets', async () => {
    const { center, home } = await setUp();
    center.deviceAnswers = ['pending', 'slow-down', 'pending', 'approved'];
    const clock = new SleepingClock();
    const person = new ScriptedPerson();
    const begun = clock.now();
    expect((await signIn(home, person, { device: true, clock })).how).toBe('device');
    expect(person.pages).toEqual([]);
    expect(person.codes).toEqual([
      {
        userCode: 'BCDF-GHJK',
        verificationUri: `${center.url}/device`,
        verificationUriComplete: `${center.url}/device?user_code=BCDF-GHJK`,
        expiresAt: new Date(begun + 600_000),
      },
    ]);
    expect(clock.slept).toEqual([1000, 1000, 6000, 6000]);
    expect(center.to('/client/register')[0]?.body).toEqual({
      clientName: 'AgentCore MCP',
      clientType: 'public',
      scopes: ['sso:account:access'],
    });
    expect(await home.tokenOnFile()).toMatchObject({
      accessToken: expect.stringMatching(/^access-/),
      refreshToken: expect.stringMatching(/^refresh-/),
    });
  });

  it('tolerates a short network failure', async () => {
    const { center, home } = await setUp();
    center.spoil('/token', { status: 500, type: 'InternalServerException' });
    center.spoil('/token', { status: 500, type: 'InternalServerException' });
    center.spoil('/token', { status: 500, type: 'InternalServerException' });
    const clock = new SleepingClock();
    await signIn(home, new ScriptedPerson(), { device: true, clock });
    expect(clock.slept).toEqual([1000, 6000]);
  });

  it.each([
    ['denied', 'credentials', /was denied: run "agentcore-mcp login --profile work"/],
    ['expired', 'timeout', /code expired .*: run "agentcore-mcp login --profile work"/],
  ] as const)('fails when it is %s', async (answer, code, message) => {
    const { center, home } = await setUp();
    center.deviceAnswers = ['pending', answer];
    const attempt = signIn(home, new ScriptedPerson(), {
      device: true,
      clock: new SleepingClock(),
    });
    await expect(attempt).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('ends when its code expires, even if Identity Center never reports it', async () => {
    const { center, home } = await setUp();
    center.deviceAnswers = ['pending'];
    const clock = new SleepingClock();
    await expect(signIn(home, new ScriptedPerson(), { device: true, clock })).rejects.toMatchObject(
      { code: 'timeout' },
    );
    expect(clock.slept).toHaveLength(600);
  });

  it('registers again if Identity Center no longer knows the client', async () => {
    const { center, home } = await setUp();
    const options = { device: true, clock: new SleepingClock(), force: true };
    await signIn(home, new ScriptedPerson(), options);
    center.spoil('/device_authorization', { status: 401, type: 'InvalidClientException' });
    expect((await signIn(home, new ScriptedPerson(), options)).how).toBe('device');
    expect(center.to('/client/register')).toHaveLength(2);
  });
});

describe('a login', () => {
  it('does not prompt if a valid token exists, unless it is forced', async () => {
    const { center, home } = await setUp();
    await home.signIn(HOUR);
    expect((await signIn(home, new ScriptedPerson())).how).toBe('held');
    expect(center.requests).toEqual([]);
    expect((await signIn(home, new ScriptedPerson(), { force: true })).how).toBe('browser');
  });

  it('does not prompt if the token can be refreshed', async () => {
    const { center, home } = await setUp();
    center.refreshTokens.add('refresh-on-file');
    await home.signIn(-HOUR, 'refresh-on-file');
    const person = new ScriptedPerson();
    expect((await signIn(home, person)).how).toBe('renewed');
    expect(person.pages).toEqual([]);
    expect((await readLoginStatus(await home.session(), home.context())).state).toBe('signed-in');
  });

  it('prompts if the token cannot be refreshed', async () => {
    const { home } = await setUp();
    await home.signIn(-HOUR, 'long-gone');
    expect((await signIn(home, new ScriptedPerson())).how).toBe('browser');
  });

  it('accepts a token of another program, and stops waiting', async () => {
    const { center, home } = await setUp();
    const person = new ScriptedPerson(() => true);
    const pending = signIn(home, person);
    await center.seen('/client/register');
    await home.signIn(HOUR, undefined, 'made-elsewhere');
    expect((await pending).how).toBe('elsewhere');
    expect((await home.tokenOnFile()).accessToken).toBe('made-elsewhere');
  });

  it('does not mistake the token that it replaces for a new one', async () => {
    const { center, home } = await setUp();
    await home.signIn(HOUR);
    center.deviceAnswers = ['pending', 'pending', 'approved'];
    const options = { device: true, force: true, clock: new SleepingClock() };
    expect((await signIn(home, new ScriptedPerson(), options)).how).toBe('device');
  });

  it.each([
    ['before it begins', undefined],
    ['while it registers', '/client/register'],
    ['while a page is open', '/authorize'],
    ['while the token is on its way', '/token'],
  ])('is cancelled %s, and leaves nothing open', async (_, path) => {
    const { center, home } = await setUp();
    if (path) center.spoil(path, 'hang');
    const reason = new Error('cancelled');
    const ending = new AbortController();
    const pending = signIn(home, new ScriptedPerson(), { signal: ending.signal });
    if (path) await center.seen(path);
    ending.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(existsSync(getTokenPath(await home.session(), home.env))).toBe(false);
    const person = center.to('/authorize')[0]?.query.get('redirect_uri');
    if (person) await expect(fetch(person)).rejects.toThrow('fetch failed');
  });

  it('is cancelled while it waits for a code', async () => {
    const { center, home } = await setUp();
    center.deviceAnswers = ['pending'];
    const reason = new Error('cancelled');
    const ending = new AbortController();
    const pending = signIn(home, new ScriptedPerson(), { device: true, signal: ending.signal });
    await center.seen('/token');
    ending.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });

  it('names the service that it could not reach', async () => {
    const { center, home } = await setUp();
    const resets = Array<'reset'>(3).fill('reset');
    center.spoil('/client/register', ...resets);
    await expect(signIn(home, new ScriptedPerson())).rejects.toMatchObject({
      code: 'connection',
      message: expect.stringContaining(`the connection to ${new URL(center.url).host} failed`),
    });
  });

  it('uses the endpoint that is set for the single service', async () => {
    const { center, home } = await setUp();
    home.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:9';
    home.env.AWS_ENDPOINT_URL_SSO_OIDC = `${center.url}/`;
    const person = new ScriptedPerson();
    expect((await signIn(home, person)).how).toBe('browser');
    expect(person.pages[0]).toMatch(new RegExp(`^${center.url}/authorize\\?`));
  });

  it('leaves one complete token if two logins run at once', async () => {
    const { home } = await setUp();
    const session = await home.session();
    const token = (name: string) => ({
      accessToken: name.repeat(10_000),
      expiresAt: new Date(Date.now() + HOUR),
      refreshToken: undefined,
      registration: undefined,
    });
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    await Promise.all(
      names.flatMap((name) => [
        writeToken(session, token(name), home.env),
        readToken(session, home.env).then((read) => {
          if (read) expect(read.accessToken).toMatch(/^(.)\1{9999}$/);
        }),
      ]),
    );
    expect((await readToken(session, home.env))?.accessToken).toMatch(/^(.)\1{9999}$/);
  });
});

async function sha1(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-1', Buffer.from(text))).toString('hex');
}
