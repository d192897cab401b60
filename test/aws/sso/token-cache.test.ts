import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  getTokenPath,
  readLoginStatus,
  readToken,
  removeToken,
} from '../../../src/aws/sso/token-cache.ts';
import { CONFIG, HOUR, Home } from './home.ts';

/** The output of `printf corp | sha1sum`. */
const CORP_FILE = 'ee0bfd2552fbd840c02cc48b6e823320543c450f.json';

const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('the token cache', () => {
  it('is at the path of the AWS CLI, readable by its owner alone', async () => {
    const home = new Home(CONFIG);
    const path = getTokenPath(await home.session(), home.env);
    await home.signIn(HOUR);
    expect(path).toBe(join(home.path, '.aws', 'sso', 'cache', CORP_FILE));
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(dirname(path))).toBe(0o700);
    expect(readdirSync(dirname(path))).toEqual([CORP_FILE]);
  });

  it('does not change the mode of an existing folder', async () => {
    const home = new Home(CONFIG);
    const folder = join(home.path, '.aws', 'sso', 'cache');
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
    await home.signIn(HOUR);
    expect(modeOf(folder)).toBe(0o755);
    expect(modeOf(join(folder, CORP_FILE))).toBe(0o600);
  });

  it('replaces a symbolic link, and does not change its target', async () => {
    const home = new Home(CONFIG);
    const path = getTokenPath(await home.session(), home.env);
    const elsewhere = join(home.path, 'elsewhere');
    writeFileSync(elsewhere, 'precious');
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(elsewhere, path);
    await home.signIn(HOUR);
    expect(readFileSync(elsewhere, 'utf8')).toBe('precious');
    expect((await home.tokenOnFile()).accessToken).toBe('access-on-file');
  });

  it.runIf(process.getuid?.() === 0)(
    'gives a file that root writes to the owner of the home directory',
    async () => {
      const home = new Home(CONFIG);
      const path = getTokenPath(await home.session(), home.env);
      mkdirSync(dirname(path), { recursive: true });
      chownSync(dirname(path), 12_345, 12_345);
      await home.signIn(HOUR);
      expect(statSync(path)).toMatchObject({ uid: 12_345, gid: 12_345 });
      expect(modeOf(path)).toBe(0o600);
    },
  );

  it.each([
    ['half of a token', '{"accessToken":"a","expires'],
    ['no token', '{"clientId":"a","clientSecret":"b","expiresAt":"2099-01-01T00:00:00Z"}'],
    ['no time', '{"accessToken":"a","expiresAt":"soon"}'],
    ['another portal’s', '{"accessToken":"a","expiresAt":"2099-01-01T00:00:00Z","startUrl":"b"}'],
    ['null', 'null'],
  ])('ignores %s', async (_, text) => {
    const home = new Home(CONFIG);
    const session = await home.session();
    const path = getTokenPath(session, home.env);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    expect(await readToken(session, home.env)).toBeUndefined();
    expect(await readLoginStatus(session, home.context())).toEqual({ state: 'signed-out' });
  });

  it('reads the format of an old AWS CLI', async () => {
    const home = new Home(CONFIG);
    const session = await home.session();
    const path = getTokenPath(session, home.env);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '{"accessToken":"a","expiresAt":"2099-01-01T00:00:00UTC"}');
    expect(await readToken(session, home.env)).toMatchObject({
      expiresAt: new Date('2099-01-01T00:00:00Z'),
    });
  });

  it('removes a token', async () => {
    const home = new Home(CONFIG);
    const session = await home.session();
    await home.signIn(HOUR);
    expect(await removeToken(session, home.env)).toBe(true);
    expect(existsSync(getTokenPath(session, home.env))).toBe(false);
    expect(await removeToken(session, home.env)).toBe(false);
  });
});

describe('the state of a login', () => {
  it.each([
    ['signed-in', HOUR, undefined, false],
    ['signed-in', HOUR, 'refresh', true],
    ['refreshable', -HOUR, 'refresh', true],
    ['expired', -HOUR, undefined, false],
  ] as const)('is %s', async (state, left, refreshToken, isRefreshable) => {
    const home = new Home(CONFIG);
    await home.signIn(left, refreshToken);
    const status = await readLoginStatus(await home.session(), home.context());
    expect(status).toEqual({ state, isRefreshable, until: expect.any(Date) });
  });

  it('is expired if the client registration that could refresh it has expired', async () => {
    const home = new Home(CONFIG);
    await home.signIn(-48 * HOUR, 'refresh');
    const clock = { now: () => Date.now() + 25 * HOUR, sleep: async () => {} };
    const status = await readLoginStatus(await home.session(), home.context(clock));
    expect(status).toMatchObject({ state: 'expired', isRefreshable: false });
  });
});
