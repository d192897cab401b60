import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { getTokenPath } from '../../../src/aws/sso/token-cache.ts';
import { getCurrentToken, requireToken, waitForLogin } from '../../../src/aws/sso/token-refresh.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { CONFIG, HOUR, Home, NEVER } from './home.ts';
import { ScriptedIdentityCenter } from './scripted-identity-center.ts';

async function setUp(left = -HOUR) {
  const center = await ScriptedIdentityCenter.start();
  const home = new Home(CONFIG, center.url);
  center.refreshTokens.add('refresh-on-file');
  await home.signIn(left, 'refresh-on-file');
  const session = await home.session();
  return { center, home, session, current: () => getCurrentToken(session, home.context(), NEVER) };
}

describe('a silent token refresh', () => {
  it('renews an expired token as the client that it was issued to', async () => {
    const { center, home, current } = await setUp();
    expect((await current())?.accessToken).toMatch(/^access-/);
    expect(center.to('/token')[0]?.body).toEqual({
      clientId: 'client-on-file',
      clientSecret: 'secret-on-file',
      grantType: 'refresh_token',
      refreshToken: 'refresh-on-file',
    });
    expect(await home.tokenOnFile()).toMatchObject({
      clientId: 'client-on-file',
      refreshToken: expect.stringMatching(/^refresh-/),
      registrationExpiresAt: expect.any(String),
    });
  });

  it('renews a token that is about to expire, and no other', async () => {
    const soon = await setUp(4 * 60_000);
    expect((await soon.current())?.accessToken).toMatch(/^access-\w{8}-/);
    const later = await setUp(6 * 60_000);
    expect((await later.current())?.accessToken).toBe('access-on-file');
    expect(later.center.requests).toEqual([]);
  });

  it('runs once for concurrent callers', async () => {
    const { center, current } = await setUp();
    const tokens = await Promise.all(Array.from({ length: 8 }, current));
    expect(new Set(tokens.map((token) => token?.accessToken)).size).toBe(1);
    expect(center.to('/token')).toHaveLength(1);
  });

  it('runs once for all programs', async () => {
    const { center, home } = await setUp();
    const program = `
      import { Network } from './src/http/network.ts';
      import { getCurrentToken } from './src/aws/sso/token-refresh.ts';
      import { findSsoSession } from './src/aws/sso/sso-session.ts';
      const env = process.env;
      const session = await findSsoSession({ profile: 'work' }, env);
      const signal = new AbortController().signal;
      const token = await getCurrentToken(session, { env, network: new Network(env) }, signal);
      process.exit(token?.accessToken.startsWith('access-') ? 0 : 1);`;
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
    const programs = Array.from({ length: 3 }, () =>
      spawn(process.execPath, args, { env: { ...process.env, ...home.env }, stdio: 'inherit' }),
    );
    const codes = await Promise.all(programs.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect(center.to('/token')).toHaveLength(1);
  });

  it('ignores a lock that a dead program left behind', async () => {
    const { home, session, current } = await setUp();
    const lock = `${getTokenPath(session, home.env)}.lock`;
    writeFileSync(lock, '');
    const past = Date.now() / 1000 - 120;
    utimesSync(lock, past, past);
    expect((await current())?.accessToken).toMatch(/^access-/);
  });

  it('requires the user if the refresh token is no longer valid', async () => {
    const { center, home, session, current } = await setUp();
    center.refreshTokens.clear();
    expect(await current()).toBeUndefined();
    await expect(requireToken(session, home.context(), NEVER)).rejects.toMatchObject({
      code: 'credentials',
      message: 'Not signed in to SSO session "corp": run "agentcore-mcp login --profile work"',
    });
  });

  it('uses the token of a program that was faster', async () => {
    const { center, home, current } = await setUp();
    center.spoil('/token', 'hang');
    const pending = current();
    await center.seen('/token');
    await home.signIn(HOUR, undefined, 'from-the-aws-cli');
    center.refreshTokens.clear();
    // Ends the request that hangs. The next one is refused.
    center.dropConnections();
    expect((await pending)?.accessToken).toBe('from-the-aws-cli');
  });

  it('keeps a token that is still valid if Identity Center fails', async () => {
    const { center, current } = await setUp(60_000);
    center.spoil('/token', { status: 400, type: 'InvalidGrantException' });
    expect((await current())?.accessToken).toBe('access-on-file');
  });

  it('reports the failure if Identity Center fails and no token is valid', async () => {
    const { center, current } = await setUp();
    center.spoil('/token', ...Array<'reset'>(3).fill('reset'));
    await expect(current()).rejects.toMatchObject({ code: 'connection' });
  });

  it('is cancelled at once', async () => {
    const { center, home, session } = await setUp();
    center.spoil('/token', 'hang');
    const reason = new Error('cancelled');
    const ending = new AbortController();
    const pending = getCurrentToken(session, home.context(), ending.signal);
    await center.seen('/token');
    ending.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });
});

describe('waiting for a login', () => {
  it('ends when the user signs in', async () => {
    const home = new Home(CONFIG);
    await home.signIn(-HOUR);
    const session = await home.session();
    const options = { context: home.context(), signal: NEVER, timeoutMs: MAX_WAIT_MS };
    const pending = waitForLogin(session, options);
    await home.signIn(HOUR, undefined, 'from-the-aws-cli');
    expect((await pending).accessToken).toBe('from-the-aws-cli');
  });

  it('ends when the user signs in for the first time', async () => {
    const home = new Home(CONFIG);
    const options = { context: home.context(), signal: NEVER, timeoutMs: MAX_WAIT_MS };
    const pending = waitForLogin(await home.session(), options);
    await home.signIn(HOUR);
    expect((await pending).accessToken).toBe('access-on-file');
  });

  it('ends after a timeout, with the command to run', async () => {
    const home = new Home(CONFIG);
    await home.signIn(-HOUR);
    const options = { context: home.context(), signal: NEVER, timeoutMs: 50 };
    await expect(waitForLogin(await home.session(), options)).rejects.toMatchObject({
      code: 'credentials',
      message: expect.stringMatching(
        /^The login to SSO session "corp" is missing or has expired, .*: run "agentcore-mcp login --profile work"$/,
      ),
    });
  });

  it('ends when its caller aborts', async () => {
    const home = new Home(CONFIG);
    const reason = new Error('cancelled');
    const options = {
      context: home.context(),
      signal: AbortSignal.abort(reason),
      timeoutMs: 9_000,
    };
    await expect(waitForLogin(await home.session(), options)).rejects.toBe(reason);
  });
});
