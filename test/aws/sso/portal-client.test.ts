import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listAccounts, logout } from '../../../src/aws/sso/portal-client.ts';
import { getTokenPath } from '../../../src/aws/sso/token-cache.ts';
import { CONFIG, HOUR, Home, NEVER } from './home.ts';
import { ScriptedIdentityCenter } from './scripted-identity-center.ts';

async function setUp() {
  const center = await ScriptedIdentityCenter.start();
  center.tokens.add('access-on-file');
  center.accounts = {
    '111111111111': { name: 'Production', roles: ['ReadOnly', 'Admin', 'Developer'] },
    '222222222222': { name: 'Development', roles: ['Admin'] },
    '333333333333': { name: 'Billing', roles: [] },
  };
  const home = new Home(CONFIG, center.url);
  await home.signIn(HOUR);
  const session = await home.session();
  return { center, home, session, list: () => listAccounts(session, home.context(), NEVER) };
}

describe('accounts and roles', () => {
  it('are listed over all pages, sorted by name', async () => {
    const { list } = await setUp();
    expect(await list()).toEqual({
      accounts: [
        { id: '333333333333', name: 'Billing', roles: [] },
        { id: '222222222222', name: 'Development', roles: ['Admin'] },
        { id: '111111111111', name: 'Production', roles: ['Admin', 'Developer', 'ReadOnly'] },
      ],
      problems: [],
    });
  });

  it('are listed despite throttling', async () => {
    const { center, list } = await setUp();
    const throttled = { status: 429, type: 'TooManyRequestsException' };
    center.spoil('/assignment/roles', throttled, throttled);
    expect((await list()).problems).toEqual([]);
  });

  it('are listed in part if some calls fail', async () => {
    const { center, list } = await setUp();
    center.spoil('/assignment/roles', { status: 403, type: 'ForbiddenException' });
    const { accounts, problems } = await list();
    expect(accounts).toHaveLength(3);
    expect(problems).toEqual([
      'Could not list the roles of 111111111111: Scripted ForbiddenException',
    ]);
  });

  it('are listed with a token that is refreshed first', async () => {
    const { center, home, list } = await setUp();
    center.refreshTokens.add('refresh');
    await home.signIn(-HOUR, 'refresh');
    expect((await list()).accounts).toHaveLength(3);
  });

  it('are not listed if no user is signed in, or no longer', async () => {
    const { center, home, list } = await setUp();
    center.tokens.clear();
    await expect(list()).rejects.toMatchObject({
      code: 'credentials',
      message:
        'AWS no longer accepts the login to SSO session "corp": run "agentcore-mcp login --profile work --force"',
    });
    await home.signIn(-HOUR);
    await expect(list()).rejects.toMatchObject({
      code: 'credentials',
      message: 'Not signed in to SSO session "corp": run "agentcore-mcp login --profile work"',
    });
  });

  it('stop loading at once when cancelled', async () => {
    const { center, home, session } = await setUp();
    center.spoil('/assignment/roles', 'hang', 'hang', 'hang');
    const reason = new Error('cancelled');
    const ending = new AbortController();
    const pending = listAccounts(session, home.context(), ending.signal);
    await center.seen('/assignment/roles', 3);
    ending.abort(reason);
    await expect(pending).rejects.toBe(reason);
  });
});

describe('a logout', () => {
  it('ends the SSO session at AWS and removes the local token', async () => {
    const { center, home, session } = await setUp();
    expect(await logout(session, home.context(), NEVER)).toEqual({ wasSignedIn: true });
    expect(center.tokens.size).toBe(0);
    expect(existsSync(getTokenPath(session, home.env))).toBe(false);
    expect(await logout(session, home.context(), NEVER)).toEqual({ wasSignedIn: false });
  });

  it('removes a token that AWS has already revoked', async () => {
    const { center, home, session } = await setUp();
    center.tokens.clear();
    expect(await logout(session, home.context(), NEVER)).toEqual({ wasSignedIn: true });
  });

  it('removes the token even if AWS cannot be reached', async () => {
    const { center, home, session } = await setUp();
    center.spoil('/logout', { status: 400, type: 'InvalidRequestException' });
    expect(await logout(session, home.context(), NEVER)).toEqual({
      wasSignedIn: true,
      problem: 'Could not notify AWS of the logout: Scripted InvalidRequestException',
    });
    expect(existsSync(getTokenPath(session, home.env))).toBe(false);
  });
});
