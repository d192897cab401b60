import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listProfiles } from '../../../src/aws/credentials/profiles.ts';
import { createCredentialProvider } from '../../../src/aws/credentials/provider.ts';
import { resolveScopes } from '../../../src/aws/discovery/scopes.ts';
import { readServiceSettings } from '../../../src/aws/endpoints.ts';
import { getEnvironmentProfile, readProfileFiles } from '../../../src/aws/shared-config.ts';
import { findSsoSession } from '../../../src/aws/sso/sso-session.ts';
import { Network } from '../../../src/http/network.ts';
import { temporaryFolder } from '../../fixtures/tls.ts';

const DEV = 'AKIADEVELOPEREXAMPLE';
const PROD = 'AKIAPRODUCTIONEXAMPL';
const keys = (id = DEV, separator = ' = ') =>
  `aws_access_key_id${separator}${id}\naws_secret_access_key${separator}not-a-secret\n`;

interface Files {
  readonly config?: string | Buffer;
  readonly credentials?: string | Buffer;
}

async function home(files: Files, more: Record<string, string> = {}) {
  const folder = await temporaryFolder();
  const env = {
    HOME: folder,
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    ...more,
  };
  if (files.config !== undefined) await writeFile(env.AWS_CONFIG_FILE, files.config);
  if (files.credentials !== undefined) {
    await writeFile(env.AWS_SHARED_CREDENTIALS_FILE, files.credentials);
  }
  return env;
}

/** The access key that signs calls, and the warnings. */
async function signing(
  profile: string | undefined,
  files: Files,
  more: Record<string, string> = {},
): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
  const env = await home(files, more);
  const warnings: string[] = [];
  const credentials = createCredentialProvider({
    profile: profile ?? getEnvironmentProfile(env),
    region: 'us-east-1',
    assumeRole: undefined,
    network: new Network(env),
    env,
    log: (_, sentence) => warnings.push(sentence),
  });
  const { accessKeyId } = await credentials();
  return { id: accessKeyId, warnings };
}

async function idOf(...given: Parameters<typeof signing>): Promise<string> {
  return (await signing(...given)).id;
}

describe('profile names', () => {
  it.each([
    ['Dev Account', '[profile "Dev Account"]'],
    ['my team', "[profile 'my team']"],
    ['team(prod)', '[profile team(prod)]'],
    ['a,b', '[profile a,b]'],
    ['zürich', '[profile zürich]'],
    ['two', '[profile  two]'],
    ['a b', '[profile a\\ b]'],
    ['tab', '[profile\ttab]'],
    ['team[1]', '[profile team[1]]'],
    ['default', '[profile default]'],
  ])('finds %s under %s', async (name, header) => {
    expect(await idOf(name, { config: `${header}\n${keys()}` })).toBe(DEV);
  });

  it('are taken literally in the credentials file', async () => {
    expect(await idOf('my dev', { credentials: `[my dev]\n${keys()}` })).toBe(DEV);
    expect(await idOf('"x"', { credentials: `["x"]\n${keys()}` })).toBe(DEV);
  });
});

describe('settings', () => {
  it('are read regardless of the case of their keys, with = or :', async () => {
    const credentials = `[work]\n${keys().replace(/^aws_\w+/gm, (key) => key.toUpperCase())}`;
    expect(await idOf('work', { credentials })).toBe(DEV);
    expect(await idOf('work', { credentials: `[work]\n${keys(DEV, ': ')}` })).toBe(DEV);
  });

  it('may be indented, after a nested block and after an empty value', async () => {
    const indented = keys().replace(/^/gm, '    ');
    const nested = '    s3 =\n        max_concurrent_requests = 20\n';
    expect(await idOf('dev', { config: `[profile dev]\n${nested}${indented}` })).toBe(DEV);
    expect(await idOf('dev', { config: `[profile dev]\n    role=\n${indented}` })).toBe(DEV);
  });

  it('in the section DEFAULT apply to every section', async () => {
    const config = `[DEFAULT]\nregion = eu-west-1\n[profile dev]\n${keys()}`;
    const { region } = await readServiceSettings('STS', 'dev', await home({ config }));
    expect(region).toBe('eu-west-1');
  });

  it('of a credential_process continue after a semicolon', async () => {
    const answer = `{\\"Version\\":1,\\"AccessKeyId\\":\\" ${DEV}\\n\\",\\"SecretAccessKey\\":\\"not-a-secret\\"}`;
    const config = `[profile dev]\ncredential_process = sh -c 'true ; printf "%s" "${answer.replaceAll('\\n', '')}"'\n`;
    expect(await idOf('dev', { config })).toBe(DEV);
  });

  it('for the region may be in the credentials file', async () => {
    const env = await home({ credentials: `[saml]\n${keys()}region = us-east-1\n` });
    expect((await readServiceSettings('STS', 'saml', env)).region).toBe('us-east-1');
  });

  it('of a services section and ca_bundle are read for the profile', async () => {
    const config = `[profile dev]\nca_bundle = ~/own-ca.pem\nservices = "my local"\n[services '"my local"']\nsts =\n  endpoint_url = http://localhost:1\n`;
    const env = await home({ config });
    expect(await readServiceSettings('STS', 'dev', env)).toMatchObject({
      override: 'http://localhost:1',
      caBundle: { path: join(env.HOME, 'own-ca.pem') },
      warnings: undefined,
    });
    const both = { ...env, AWS_CA_BUNDLE: '/other.pem' };
    expect((await readServiceSettings('STS', 'dev', both)).caBundle?.path).toBe('/other.pem');
  });

  it('are read again at the first call after an edit', async () => {
    const env = await home({ config: '[profile dev]\nregion = us-east-1\n' });
    expect((await readServiceSettings('STS', 'dev', env)).region).toBe('us-east-1');
    await writeFile(env.AWS_CONFIG_FILE, '[profile dev]\nregion = eu-west-1\n');
    expect((await readServiceSettings('STS', 'dev', env)).region).toBe('eu-west-1');
  });

  it('with a comment after the value are read as by the AWS CLI, with a warning', async () => {
    const config = `[profile dev]\n${keys()}output = json ; always\n`;
    const { warnings } = await signing('dev', { config });
    expect(warnings).toEqual([
      expect.stringMatching(/line 4 has "#" or ";" in the value of output/),
    ]);
  });
});

describe('the access keys of a running program', () => {
  it('change at the first call after an edit, and after a mistake is corrected', async () => {
    const env = await home({ credentials: `[dev]\n${keys()}` });
    const warnings: string[] = [];
    const credentials = createCredentialProvider({
      profile: 'dev',
      region: undefined,
      assumeRole: undefined,
      network: new Network(env),
      env,
      log: (_, sentence) => warnings.push(sentence),
    });
    expect((await credentials()).accessKeyId).toBe(DEV);
    await writeFile(env.AWS_SHARED_CREDENTIALS_FILE, `[dev]\n${keys()}[dev\n`);
    expect((await credentials()).accessKeyId).toBe(DEV);
    expect(warnings.at(-1)).toMatch(/line 4 of .* a section header without "\]"/);
    await writeFile(env.AWS_SHARED_CREDENTIALS_FILE, `[dev]\n${keys(PROD)}`);
    expect((await credentials()).accessKeyId).toBe(PROD);
  });
});

describe('a line that cannot be parsed', () => {
  it('does not give its keys to the profile above if text follows the section header', async () => {
    const config = `[profile dev]\n${keys()}[profile prod]#production, careful\n${keys(PROD)}`;
    expect(await idOf('dev', { config })).toBe(DEV);
    const { id, warnings } = await signing('prod', { config });
    expect(id).toBe(PROD);
    expect(warnings).toEqual([
      expect.stringMatching(/line 4 has text behind the section header "\[profile prod\]"/),
    ]);
  });

  it.each(['[profile prod', '[profile prod = x', '[profile prod: x'])(
    'does not give its keys to the profile above if it is %s',
    async (header) => {
      const config = `[profile dev]\n${keys()}${header}\n${keys(PROD)}[profile last]\n${keys()}`;
      const error = /line 4 of .*config is "\[profile prod.*", a section header without "\]"/;
      await expect(idOf('dev', { config })).rejects.toThrow(error);
      await expect(idOf('prod', { config })).rejects.toThrow(error);
      const { id, warnings } = await signing('last', { config });
      expect(id).toBe(DEV);
      expect(warnings).toEqual([expect.stringMatching(/line 4 is "\[profile prod/)]);
    },
  );

  it.each([
    ['what is this', /line 4 of .* has neither "=" nor ":"/],
    ['= x', /line 4 of .* has no key/],
    [
      'aws_access_key_id = AKIAOTHER',
      /line 4 of .* sets aws_access_key_id again, which line 2 sets/,
    ],
    ['s3 =\n  addressing_style', /line 4 of .* has an indented line under s3 without "="/],
  ])('disables the profile that contains it: %j', async (line, error) => {
    const config = `[profile other]\n${keys(PROD)}`;
    const file = { config: `[profile dev]\n${keys()}${line}\n${config}` };
    await expect(idOf('dev', file)).rejects.toThrow(error);
    const { id, warnings } = await signing('other', file);
    expect(id).toBe(PROD);
    expect(warnings).toHaveLength(1);
  });

  it('disables only the profile that is defined twice', async () => {
    const twice = `[profile dev]\n${keys()}[profile other]\n${keys(PROD)}[profile dev]\n${keys(PROD)}`;
    for (const config of [twice, twice.replace('[profile dev]', '[profile "dev"]')]) {
      await expect(idOf('dev', { config })).rejects.toThrow(
        /"dev".* is in .*config more than once, on the lines 1 and 7/,
      );
      const { id, warnings } = await signing('other', { config });
      expect(id).toBe(PROD);
      expect(warnings).toEqual([
        expect.stringMatching(/line 7 begins .* again, which line 1 begins/),
      ]);
    }
  });

  it('is named in the error if the profile seems to be missing', async () => {
    const fails = async (profile: string, files: Files, error: RegExp) =>
      expect(idOf(profile, files)).rejects.toThrow(error);
    await fails(
      'dev',
      { config: `[dev]\n${keys()}` },
      /line 1 of .*config is "\[dev\]": write "\[profile dev\]"/,
    );
    await fails(
      'my team',
      { config: `[profile my team]\n${keys()}` },
      /line 1 of .* put the name in quotes/,
    );
    await fails(
      'dev',
      { credentials: `[profile dev]\n${keys()}` },
      /line 1 of .*credentials is "\[profile dev\]": write "\[dev\]"/,
    );
    await fails(
      'prod',
      { config: `[profile dev]\n${keys()}  [profile prod]\n` },
      /line 4 of .* is indented, so that "\[profile prod\]" belongs to the value/,
    );
    await fails('"dev"', { config: `[profile dev]\n${keys()}` }, /AWS_PROFILE=dev/);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what VS Code should have replaced
    await fails('${env:AWS_PROFILE}', { config: '' }, /placeholder \$\{env:AWS_PROFILE\}/);
  });

  it('is named in the error if a key seems to be missing', async () => {
    const config = '[profile dev]\naws_access_key_id = AKIA\n  aws_secret_access_key = x\n';
    await expect(idOf('dev', { config })).rejects.toThrow(
      /lacks aws_secret_access_key: line 3 of .* is indented, so that it belongs to the value of aws_access_key_id/,
    );
  });
});

describe('a file that is not text', () => {
  const text = `[profile dev]\n${keys()}`;
  it.each([
    ['UTF-16', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')])],
    ['UTF-16', Buffer.from(text, 'utf16le')],
    ['encrypted', Buffer.from('\0GITCRYPT\0\x01\x02')],
    ['encrypted', Buffer.from('$ANSIBLE_VAULT;1.1;AES256\n33\n')],
    ['binary or encrypted', Buffer.from('abc\0\x05\x07')],
  ])('is reported as %s', async (kind, config) => {
    const env = await home({ config });
    await expect(idOf('dev', { config })).rejects.toThrow(`(it is ${kind})`);
    await expect(listProfiles(env)).rejects.toThrow(env.AWS_CONFIG_FILE);
    const settings = await readServiceSettings('STS', undefined, env);
    expect(settings.warnings).toEqual([expect.stringContaining(kind)]);
  });

  it('is reported as a folder, and is not read', async () => {
    const env = await home({});
    await mkdir(env.AWS_CONFIG_FILE);
    await expect(readProfileFiles(env)).rejects.toThrow('not a regular file');
  });

  it('is reported with the line if its encoding is wrong', async () => {
    const config = Buffer.from(`# caf\xe9\n[profile dev]\n${keys()}`, 'latin1');
    const { id, warnings } = await signing('dev', { config });
    expect(id).toBe(DEV);
    expect(warnings).toEqual([expect.stringMatching(/line 1 is not UTF-8/)]);
    const inName = Buffer.from(`[profile z\xfcrich]\n${keys()}`, 'latin1');
    await expect(idOf('zürich', { config: inName })).rejects.toThrow(/line 1 is not UTF-8/);
  });
});

describe('the order of credential sources in a profile', () => {
  it('is that of botocore', async () => {
    const process = `credential_process = echo {\\"Version\\":1,\\"AccessKeyId\\":\\"${PROD}\\",\\"SecretAccessKey\\":\\"x\\"}\n`;
    const sso =
      'sso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\nsso_account_id = 123456789012\nsso_role_name = dev\n';
    const role = 'role_arn = arn:aws:iam::123456789012:role/r\n';
    const kindOf = async (config: string, credentials = '') => {
      const env = await home({ config: `[profile dev]\n${config}`, credentials });
      return (await listProfiles(env)).find(({ name }) => name === 'dev')?.kind;
    };
    const own = `[dev]\n${keys()}`;
    expect(await kindOf(`${sso}${process}${keys()}`, own)).toBe('sso-legacy');
    expect(await kindOf(process, own)).toBe('static');
    expect(await kindOf(`${process}${keys()}`)).toBe('process');
    expect(await kindOf(`${role}source_profile = dev\n${sso}`, own)).toBe('role');
    expect(await kindOf(`${role}web_identity_token_file = /t\nsource_profile = x\n${sso}`)).toBe(
      'web-identity',
    );
    expect(await kindOf('sso_session = corp\n', own)).toBe('static');
    expect(await kindOf(`login_session = x\n${process}`)).toBe('login');
  });

  it('does not combine half a key from one file with half a key from another', async () => {
    const files = {
      config: '[profile dev]\naws_secret_access_key = other\n',
      credentials: '[dev]\naws_access_key_id = AKIA\n',
    };
    await expect(idOf('dev', files)).rejects.toThrow('lacks aws_secret_access_key');
  });

  it('prefers half a key in the environment to the default profile', async () => {
    const env = { AWS_ACCESS_KEY_ID: DEV };
    await expect(idOf(undefined, { credentials: `[default]\n${keys(PROD)}` }, env)).rejects.toThrow(
      'set the other half of the key as well, AWS_SECRET_ACCESS_KEY',
    );
  });
});

describe('the profile of the environment', () => {
  const config = `[default]\n${keys(PROD)}[profile dev]\n${keys()}`;

  it('may be set by AWS_DEFAULT_PROFILE', async () => {
    expect(await idOf(undefined, { config }, { AWS_DEFAULT_PROFILE: 'dev' })).toBe(DEV);
  });

  it('is AWS_PROFILE if both are set, with a warning if they differ', async () => {
    const two = { AWS_PROFILE: 'dev', AWS_DEFAULT_PROFILE: 'default' };
    const { id, warnings } = await signing(undefined, { config }, two);
    expect(id).toBe(DEV);
    expect(warnings).toEqual([expect.stringMatching(/AWS_PROFILE counts, unset one of them/)]);
    const same = { AWS_PROFILE: 'dev', AWS_DEFAULT_PROFILE: 'dev' };
    expect((await signing(undefined, { config }, same)).warnings).toEqual([]);
  });

  it.each(['AWS_PROFILE', 'AWS_DEFAULT_PROFILE'])(
    'overrides an access key if %s names it, with a warning',
    async (variable) => {
      const key = { AWS_ACCESS_KEY_ID: PROD, AWS_SECRET_ACCESS_KEY: 'not-a-secret' };
      const { id, warnings } = await signing(undefined, { config }, { [variable]: 'dev', ...key });
      expect(id).toBe(DEV);
      expect(warnings).toEqual([
        `${variable} is "dev" and AWS_ACCESS_KEY_ID is also set: requests are signed with the profile, but the AWS CLI uses the access key. Unset one of them`,
      ]);
      expect(await signing(undefined, { config }, key)).toEqual({ id: PROD, warnings: [] });
      expect(await signing('dev', { config }, key)).toEqual({ id: DEV, warnings: [] });
    },
  );

  it('gives no warning when its role is assumed with the access key', async () => {
    const role = 'role_arn = arn:aws:iam::123456789012:role/Caller';
    const env = await home(
      { config: `[profile dev]\n${role}\ncredential_source = Environment\n` },
      { AWS_PROFILE: 'dev', AWS_ACCESS_KEY_ID: PROD, AWS_SECRET_ACCESS_KEY: 'not-a-secret' },
    );
    expect((await readServiceSettings('STS', undefined, env)).warnings).toBeUndefined();
  });
});

describe('malformed values', () => {
  it.each([
    [' AKIADEVELOPEREXAMPLE\n', undefined],
    ['"AKIADEVELOPEREXAMPLE"', /AWS_ACCESS_KEY_ID is in quotes/],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a client should have replaced
    ['${env:KEY_ID}', /AWS_ACCESS_KEY_ID has the placeholder \$\{env:KEY_ID\}/],
    ['AKIA DEV', /AWS_ACCESS_KEY_ID has spaces/],
  ])('are trimmed or reported: AWS_ACCESS_KEY_ID=%j', async (value, error) => {
    const env = { AWS_ACCESS_KEY_ID: value, AWS_SECRET_ACCESS_KEY: 'not-a-secret \r\n' };
    const found = idOf(undefined, {}, env);
    if (error) await expect(found).rejects.toThrow(error);
    else expect(await found).toBe(DEV);
  });

  it('are reported for keys of a profile and of a credential_process', async () => {
    const credentials = `[dev]\naws_access_key_id = "${DEV}"\naws_secret_access_key = x\n`;
    await expect(idOf('dev', { credentials })).rejects.toThrow(
      /aws_access_key_id that is in quotes.*line 2 of .*credentials/,
    );
    const answer = `{\\"Version\\":1,\\"AccessKeyId\\":\\"A B\\",\\"SecretAccessKey\\":\\"x\\"}`;
    await expect(
      idOf('dev', { config: `[profile dev]\ncredential_process = echo "${answer}"\n` }),
    ).rejects.toThrow(/AccessKeyId of the credential_process of profile "dev" has spaces/);
  });

  it.each([
    ['"us-east-1"', /is in quotes, which belong to the value: remove them/],
    ['us-east-1a', /an availability zone: write us-east-1$/],
    ['us-east-1-bos-1a', /an availability zone: write us-east-1$/],
    ['use1-az1', /the ID of an availability zone/],
    ['us-east-1 # near', /ends with a comment/],
    ['here', /is not a region/],
  ])('are reported for the region %s', async (region, error) => {
    const env = await home({ config: `[profile dev]\n${keys()}region = ${region}\n` });
    const { region: found, regionProblem } = await readServiceSettings('STS', 'dev', env);
    expect(found).toBeUndefined();
    expect(regionProblem).toMatch(error);
    expect(regionProblem).toContain(`line 4 of ${env.AWS_CONFIG_FILE}`);
    await expect(resolveScopes({ profiles: ['dev'], regions: [] }, env)).rejects.toThrow(error);
    const fromEnv = await readServiceSettings('STS', 'dev', { ...env, AWS_REGION: region });
    expect(fromEnv.regionProblem).toMatch(error);
  });
});

describe('an SSO session', () => {
  const session = 'sso_start_url = https://corp.awsapps.com/start\nsso_region = us-east-1\n';
  const sso = 'sso_account_id = 123456789012\nsso_role_name = Developer\n';

  it('may have a name in quotes', async () => {
    const env = await home({
      config: `[sso-session 'My Corp']\n${session}[profile dev]\nsso_session = My Corp\n${sso}`,
    });
    expect(await listProfiles(env)).toMatchObject([{ problem: undefined, ssoSession: 'My Corp' }]);
    expect(await findSsoSession({ profile: 'dev' }, env)).toMatchObject({ name: 'My Corp' });
  });

  it('is that of the source profile if the profile assumes a role', async () => {
    const env = await home({
      config: `[sso-session corp]\n${session}[profile base]\nsso_session = corp\n${sso}[profile p]\nrole_arn = arn:aws:iam::123456789012:role/R\nsource_profile = base\n`,
    });
    expect(await findSsoSession({ profile: 'p' }, env)).toMatchObject({
      name: 'corp',
      profile: 'base',
    });
  });

  it('must match the profile that names it', async () => {
    const env = await home({
      config: `[sso-session corp]\n${session}[profile dev]\nsso_session = corp\nsso_region = eu-west-1\n${sso}`,
    });
    const [profile] = await listProfiles(env);
    expect(profile?.problem).toContain('another sso_region than [sso-session corp]');
  });

  it('is rejected by name if it is defined twice', async () => {
    const env = await home({
      config: `[sso-session corp]\n${session}[sso-session corp]\n${session}[profile dev]\nsso_session = corp\n${sso}`,
    });
    await expect(findSsoSession({ profile: 'dev' }, env)).rejects.toThrow(
      /"corp".* more than once/,
    );
  });
});
