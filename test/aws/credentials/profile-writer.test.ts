import { mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type SsoProfile,
  writeProfile,
  writeSsoSession,
} from '../../../src/aws/credentials/profile-writer.ts';
import { findSsoSession, type SsoSession } from '../../../src/aws/sso/sso-session.ts';
import { CONFIG, Home, NEVER, START_URL } from '../sso/home.ts';

const SESSION: SsoSession = {
  name: 'corp',
  startUrl: START_URL,
  region: 'eu-west-1',
  scopes: ['sso:account:access'],
  profile: undefined,
};
const PROFILE: SsoProfile = {
  name: 'prod',
  session: SESSION,
  accountId: '111122223333',
  roleName: 'ReadOnly',
  region: 'us-east-1',
};
const WRITTEN = `[profile prod]
sso_session = corp
sso_account_id = 111122223333
sso_role_name = ReadOnly
region = us-east-1
`;

function write(home: Home, profile: Partial<SsoProfile> = {}, replace = false): Promise<string> {
  return writeProfile({ ...PROFILE, ...profile }, { env: home.env, replace, signal: NEVER });
}

describe('writing a profile', () => {
  it('creates a profile that a user can sign in to, and its sso-session section', async () => {
    const home = new Home();
    expect(await write(home)).toBe(home.config);
    expect(home.read()).toBe(
      `[sso-session corp]\nsso_start_url = ${START_URL}\nsso_region = eu-west-1\nsso_registration_scopes = sso:account:access\n\n${WRITTEN}`,
    );
    expect(await findSsoSession({ profile: 'prod' }, home.env)).toEqual({
      ...SESSION,
      profile: 'prod',
    });
    expect(statSync(home.config).mode & 0o777).toBe(0o600);
  });

  it('keeps all other bytes and the mode of the file', async () => {
    const before = `\uFEFF# ours; keep\r\n${CONFIG.replaceAll('\n', '\r\n')}; caf\xE9\r\n[plugins]\r\nx=y`;
    const home = new Home();
    mkdirSync(dirname(home.config));
    const bytes = Buffer.concat([
      Buffer.from(before.slice(0, 1)),
      Buffer.from(before.slice(1), 'latin1'),
    ]);
    writeFileSync(home.config, bytes, { mode: 0o640 });
    await write(home);
    const after = Buffer.from(home.read(), 'latin1');
    expect(after.subarray(0, bytes.length).equals(bytes)).toBe(true);
    expect(after.subarray(bytes.length).toString('latin1')).toBe(
      `\r\n\r\n${WRITTEN.replaceAll('\n', '\r\n')}`,
    );
    expect(statSync(home.config).mode & 0o777).toBe(0o640);
    expect(readdirSync(dirname(home.config))).toEqual(['config']);
  });

  it('does not overwrite another profile', async () => {
    const home = new Home(CONFIG);
    await expect(write(home, { name: 'work' })).rejects.toMatchObject({
      code: 'usage',
      message: `Profile "work" is in ${home.config} already: choose another name, or allow to replace it`,
    });
    expect(home.read()).toBe(CONFIG);
    const quoted = new Home('[ profile "prod" ] # ours\nregion = x\n');
    await expect(write(quoted)).rejects.toMatchObject({ code: 'usage' });
  });

  it('replaces another profile if allowed, except settings that are not about credentials', async () => {
    const home = new Home(`[profile prod] # ours
# a comment
role_arn = arn:aws:iam::111122223333:role/Old
source_profile = base
output = json
region = eu-west-1
s3 =
  max_concurrent_requests = 20
sso_start_url = https://old

# of the next one
[profile base]
region = eu-west-1
`);
    await write(home, {}, true);
    expect(home.read()).toContain(`[profile prod] # ours
sso_session = corp
sso_account_id = 111122223333
sso_role_name = ReadOnly
region = us-east-1
# a comment
output = json
s3 =
  max_concurrent_requests = 20

# of the next one
[profile base]
region = eu-west-1
`);
    await write(home, { region: undefined }, true);
    expect(home.read()).toContain('region = us-east-1\n# a comment\n');
  });

  it('accepts the name default', async () => {
    const home = new Home(CONFIG);
    await write(home, { name: 'default' });
    expect(home.read()).toBe(`${CONFIG}\n${WRITTEN.replace('profile prod', 'default')}`);
  });

  it('writes the start URL into the profile if its session has no name', async () => {
    const home = new Home('');
    await write(home, { session: { ...SESSION, name: undefined } });
    expect(home.read()).not.toContain('[sso-session');
    expect((await findSsoSession({ profile: 'prod' }, home.env)).startUrl).toBe(START_URL);
  });

  it('follows a symbolic link', async () => {
    const home = new Home(CONFIG);
    const real = join(home.path, 'dotfiles-config');
    renameSync(home.config, real);
    symlinkSync(real, home.config);
    expect(await write(home)).toBe(real);
    expect(home.read()).toBe(`${CONFIG}\n${WRITTEN}`);
  });

  it('loses no profile if several are written at once', async () => {
    const home = new Home(CONFIG);
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => write(home, { name })));
    for (const name of names) expect(home.read()).toContain(`[profile ${name}]`);
  });

  it('is rejected if access keys of the same name would hide it', async () => {
    const home = new Home('');
    const keys = '[prod]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = x\n';
    writeFileSync(join(home.path, '.aws', 'credentials'), keys);
    await expect(write(home)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('access keys'),
    });
  });

  it('keeps the indentation, so that one setting does not become part of another', async () => {
    const home = new Home(`[sso-session corp]
  sso_start_url = ${START_URL}
  sso_region = eu-west-1
[profile prod]
  sso_session = corp
  sso_account_id = 999999999999
  sso_role_name = Old
  region = eu-west-1
  output = json
`);
    await write(home, {}, true);
    expect(home.read()).toContain(`[profile prod]
  sso_session = corp
  sso_account_id = 111122223333
  sso_role_name = ReadOnly
  region = us-east-1
  output = json
`);
    expect(await findSsoSession({ profile: 'prod' }, home.env)).toMatchObject({ name: 'corp' });
  });

  it('changes a profile despite any text after its header or the next one', async () => {
    const next =
      '[profile next] /* careful */\nrole_arn = arn:aws:iam::999999999999:role/Next\nsource_profile = base\nexternal_id = keep-me\n';
    const home = new Home(
      `${CONFIG}[profile "prod"]#ours\nsso_account_id = 999999999999\n\n${next}`,
    );
    await write(home, {}, true);
    expect(home.read()).toBe(
      `${CONFIG}[profile "prod"]#ours\n${WRITTEN.replace('[profile prod]\n', '')}\n${next}`,
    );
  });

  it.each([
    ['profile', '[profile prod]\nregion = eu-west-1\n[profile prod]\noutput = json\n', /again/],
    ['profile', '[profile prod]\n[profile "prod"]\noutput = json\n', /more than once/],
    ['other profile', '[profile prod]\n[profile x]\n[profile x]\n', /line 3 of .* again/],
    ['key', '[profile prod]\n[profile x]\nregion = a\nregion = b\n', /sets region again/],
    ['line', '[profile prod]\n[profile x\nregion = a\n', /a section header without "\]"/],
    ['header', '[profile prod]\n  [profile x]\n', /would not have the requested content/],
  ])('does not change a file that has a mistake: %s', async (_, before, message) => {
    const home = new Home(before);
    await expect(write(home, {}, true)).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(message),
    });
    expect(home.read()).toBe(before);
    expect(readdirSync(dirname(home.config))).toEqual(['config']);
  });

  it('is rejected if the same profile exists with another header', async () => {
    for (const before of ['[profile default]\nregion = x\n', '[default]\nregion = x\n']) {
      const home = new Home(before);
      await expect(write(home, { name: 'default' })).rejects.toMatchObject({ code: 'usage' });
      expect(home.read()).toBe(before);
      await write(home, { name: 'default' }, true);
      expect(home.read().match(/default/g)).toHaveLength(1);
    }
  });

  it('accepts an existing session with spaces in its name', async () => {
    const home = new Home(
      `[sso-session 'My Corp']\nsso_start_url = ${START_URL}\nsso_region = eu-west-1\n`,
    );
    await write(home, { session: { ...SESSION, name: 'My Corp' } });
    expect(await findSsoSession({ profile: 'prod' }, home.env)).toMatchObject({ name: 'My Corp' });
  });

  it('is rejected if another file would change its settings', async () => {
    const home = new Home('');
    writeFileSync(join(home.path, '.aws', 'credentials'), '[prod]\nsso_role_name = Other\n');
    await expect(write(home)).rejects.toThrow(/nothing was changed/);
    expect(home.read()).toBe('');
  });

  it.each([
    [{ name: 'a b' }, /profile’s name/],
    [{ name: 'x]\n[profile y' }, /profile’s name/],
    [{ name: '__proto__' }, /profile’s name/],
    [{ accountId: '12345' }, /twelve digits/],
    [{ roleName: 'Admin\nregion = x' }, /role/],
    [{ region: 'here' }, /region/],
    [{ session: { ...SESSION, name: 'a b' } }, /session’s name/],
    [{ session: { ...SESSION, startUrl: 'https://a\nb' } }, /start URL/],
  ])('rejects %j', async (wrong, message) => {
    const home = new Home(CONFIG);
    await expect(write(home, wrong)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(message),
    });
    expect(home.read()).toBe(CONFIG);
  });

  it('is rejected if the file has another session of the same name', async () => {
    const home = new Home(CONFIG);
    const session = { ...SESSION, startUrl: 'https://other.awsapps.com/start' };
    await expect(write(home, { session })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('[sso-session corp]'),
    });
  });
});

describe('writing an SSO session', () => {
  const CORP = { ...SESSION, name: 'corp' };
  const write = (home: Home, session: Partial<typeof CORP> = {}) =>
    writeSsoSession({ ...CORP, ...session }, { env: home.env, signal: NEVER });

  it('creates a session that a user can sign in to, and changes nothing else', async () => {
    const home = new Home('[profile mine]\nregion = us-west-2');
    await write(home);
    expect(await findSsoSession({ ssoSession: 'corp' }, home.env)).toEqual(CORP);
    const written = home.read();
    expect(written).toMatch(/^\[profile mine\]\nregion = us-west-2\n/);
    await write(home);
    expect(home.read()).toBe(written);
  });

  it.each([
    { startUrl: 'https://other.awsapps.com/start' },
    { name: 'my corp' },
    { region: 'here' },
  ])('rejects invalid values: %j', async (wrong) => {
    const home = new Home();
    await write(home);
    const before = home.read();
    await expect(write(home, wrong)).rejects.toMatchObject({ code: 'usage' });
    expect(home.read()).toBe(before);
  });
});
