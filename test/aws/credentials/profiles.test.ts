import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  listProfiles,
  sortBySimilarity,
  watchProfiles,
} from '../../../src/aws/credentials/profiles.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { within } from '../../fixtures/running.ts';
import { temporaryFolder } from '../../fixtures/tls.ts';

async function home(files: { config?: string; credentials?: string }) {
  const folder = await temporaryFolder();
  const env = {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
  };
  if (files.config !== undefined) await writeFile(env.AWS_CONFIG_FILE, files.config);
  if (files.credentials !== undefined) {
    await writeFile(env.AWS_SHARED_CREDENTIALS_FILE, files.credentials);
  }
  return env;
}

async function only(config: string, name: string, credentials = '') {
  const profiles = await listProfiles(await home({ config, credentials }));
  return profiles.find((profile) => profile.name === name);
}

describe('profiles', () => {
  it('come from both files, each with its kind and region, and without secrets', async () => {
    const config = `
[default]
region = us-east-1
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[profile legacy]
sso_start_url = https://x.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = dev
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile process]
credential_process = /bin/keys
[profile pod]
role_arn = arn:aws:iam::123456789012:role/r
web_identity_token_file = /token
[profile console]
login_session = arn:aws:iam::123456789012:user/me
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = us-east-1
[services local]
sts =
  endpoint_url = http://localhost
`;
    const credentials =
      '[keys]\naws_access_key_id = AKIA\naws_secret_access_key = hush\nregion = eu-west-2\n';
    const profiles = await listProfiles(await home({ config, credentials }));
    expect(Object.fromEntries(profiles.map(({ name, kind }) => [name, kind]))).toEqual({
      console: 'login',
      default: 'unknown',
      keys: 'static',
      legacy: 'sso-legacy',
      pod: 'web-identity',
      process: 'process',
      role: 'role',
      sso: 'sso-session',
    });
    expect(profiles.filter(({ problem }) => problem)).toEqual([]);
    expect(profiles.find(({ name }) => name === 'keys')?.region).toBe('eu-west-2');
    expect(profiles.find(({ name }) => name === 'role')).toMatchObject({
      roleArn: 'arn:aws:iam::123456789012:role/r',
      sourceProfile: 'keys',
      mfaSerial: 'arn:aws:iam::123456789012:mfa/me',
    });
    expect(JSON.stringify(profiles)).not.toMatch(/hush|AKIA/);
  });

  it('are empty if the files do not exist', async () => {
    expect(await listProfiles(await home({}))).toEqual([]);
  });

  it('report the path of a file that cannot be read', async () => {
    const env = await home({});
    await mkdir(env.AWS_CONFIG_FILE);
    await expect(listProfiles(env)).rejects.toThrow(`make ${env.AWS_CONFIG_FILE} a file`);
  });

  const ROLE = 'role_arn = arn:aws:iam::123456789012:role/r\n';
  it.each([
    ['[profile a]\nsso_session = corp\n', 'names the SSO session "corp", which has no section'],
    [
      '[profile a]\nsso_session = corp\n[sso-session corp]\nsso_region = x\n',
      'lacks sso_start_url in [sso-session corp]',
    ],
    [
      '[profile a]\nsso_session = c\n[sso-session c]\nsso_region = x\nsso_start_url = u\n',
      'lacks sso_account_id and sso_role_name',
    ],
    ['[profile a]\nsso_start_url = u\nsso_account_id = 1\n', 'lacks sso_region and sso_role_name'],
    [
      `[profile a]\n${ROLE}source_profile = b\n`,
      'names the source profile "b", which is not there',
    ],
    [`[profile a]\n${ROLE}`, 'has role_arn, but neither source_profile nor credential_source'],
    [`[profile a]\n${ROLE}source_profile = a\n`, 'is its own source: a → a'],
    [
      `[profile a]\n${ROLE}source_profile = b\n[profile b]\n${ROLE}source_profile = a\n`,
      'is its own source: a → b → a',
    ],
    [
      `[profile a]\n${ROLE}credential_source = Moon\n`,
      'has the credential_source "Moon", expected',
    ],
    [
      `[profile a]\n${ROLE}source_profile = b\n[profile b]\naws_access_key_id = AKIA\n`,
      'has the source profile "b", which lacks aws_secret_access_key',
    ],
    ['[profile a]\naws_secret_access_key = hush\n', 'lacks aws_access_key_id'],
  ])('report the mistake in %j', async (config, problem) => {
    expect((await only(config, 'a'))?.problem).toContain(problem);
  });

  it('may be their own source if they have keys', async () => {
    const keys = 'aws_access_key_id = AKIA\naws_secret_access_key = hush\n';
    const profile = await only(`[profile a]\n${ROLE}source_profile = a\n${keys}`, 'a');
    expect(profile).toMatchObject({ kind: 'role', problem: undefined });
  });

  it('are found despite a small typing mistake', () => {
    expect(sortBySimilarity('prd', ['development', 'prod', 'pr'])[0]).toMatch(/^pr/);
    expect(sortBySimilarity('Prod-admn', ['prod', 'prod-admin', 'x'])[0]).toBe('prod-admin');
  });
});

describe('a profile watcher', () => {
  async function watched(env: Record<string, string>) {
    let changes = 0;
    let tell: (() => void) | undefined;
    const ending = new AbortController();
    watchProfiles(
      env,
      () => {
        changes++;
        tell?.();
      },
      ending.signal,
    );
    return {
      changes: () => changes,
      change: () =>
        within(
          MAX_WAIT_MS,
          'word of a change',
          new Promise<void>((resolve) => {
            tell = resolve;
          }),
        ),
      end: () => ending.abort(),
    };
  }

  it('reports each edit, replacement and removal once', async () => {
    const env = await home({ config: '[default]\n' });
    const watch = await watched(env);
    let told = watch.change();
    await writeFile(env.AWS_CONFIG_FILE, '[default]\nregion = us-east-1\n');
    await told;
    told = watch.change();
    await writeFile(`${env.AWS_CONFIG_FILE}.new`, '[default]\nregion = eu-west-1\n');
    await rename(`${env.AWS_CONFIG_FILE}.new`, env.AWS_CONFIG_FILE);
    await told;
    told = watch.change();
    await rm(env.AWS_CONFIG_FILE);
    await told;
    // A second report of the same change would have arrived by now.
    const other = await watched(env);
    const toldToOther = other.change();
    watch.end();
    await writeFile(env.AWS_CONFIG_FILE, '[default]\n');
    await toldToOther;
    other.end();
    expect(watch.changes()).toBe(3);
  });

  it('reports files and folders that appear later', async () => {
    const folder = await temporaryFolder();
    const env = {
      AWS_CONFIG_FILE: join(folder, 'later', 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'later', 'credentials'),
    };
    const watch = await watched(env);
    const told = watch.change();
    await mkdir(dirname(env.AWS_CONFIG_FILE));
    await writeFile(env.AWS_CONFIG_FILE, '[default]\nregion = us-east-1\n');
    await told;
    watch.end();
  });
});
