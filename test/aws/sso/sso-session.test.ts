import { describe, expect, it } from 'vitest';
import {
  findSsoSession,
  formatLoginCommand,
  listSsoSessions,
} from '../../../src/aws/sso/sso-session.ts';
import { CONFIG, Home, START_URL } from './home.ts';

const CORP = {
  name: 'corp',
  startUrl: START_URL,
  region: 'eu-west-1',
  scopes: ['sso:account:access'],
};

describe('the selected SSO session', () => {
  it('is the one of the profile', async () => {
    const { env } = new Home(CONFIG);
    expect(await findSsoSession({ profile: 'work' }, env)).toEqual({ ...CORP, profile: 'work' });
    expect(await findSsoSession({}, { ...env, AWS_PROFILE: 'work' })).toEqual({
      ...CORP,
      profile: 'work',
    });
  });

  it('is the named one, or the only one', async () => {
    const { env } = new Home(CONFIG);
    const expected = { ...CORP, profile: undefined };
    expect(await findSsoSession({ ssoSession: 'corp' }, env)).toEqual(expected);
    expect(await findSsoSession({}, env)).toEqual(expected);
  });

  it('may be part of a profile', async () => {
    const { env } = new Home(
      `[default]\nsso_start_url = ${START_URL}\nsso_region = us-east-1\nsso_registration_scopes = a:b, c:d\n`,
    );
    expect(await findSsoSession({}, env)).toEqual({
      name: undefined,
      startUrl: START_URL,
      region: 'us-east-1',
      scopes: ['a:b', 'c:d'],
      profile: 'default',
    });
  });

  it('is read each time from AWS_CONFIG_FILE', async () => {
    const home = new Home(CONFIG);
    const env = { ...home.env, HOME: '/nonexistent', AWS_CONFIG_FILE: home.config };
    expect((await findSsoSession({}, env)).name).toBe('corp');
    home.write(CONFIG.replaceAll('corp]', 'firm]').replace('= corp', '= firm'));
    expect((await findSsoSession({}, env)).name).toBe('firm');
  });

  it.each([
    [
      { profile: 'nobody' },
      CONFIG,
      'usage',
      /^Profile "nobody" is not in \/.*\/config: name one that is, or add it with "aws configure sso"$/,
    ],
    [{ profile: 'plain' }, '[profile plain]\nregion = x\n', 'usage', /has no SSO login/],
    [{ ssoSession: 'nobody' }, CONFIG, 'usage', /^SSO session "nobody" is not in \//],
    [{ profile: 'work', ssoSession: 'corp' }, CONFIG, 'usage', /not both/],
    [{}, '', 'usage', /^No SSO session to sign in to: add one with "aws configure sso"/],
    [{}, `${CONFIG}[sso-session b]\nsso_region = x\n`, 'usage', /SSO sessions corp, b/],
    [
      { profile: 'work' },
      CONFIG.replace('sso_region', 'region'),
      'config',
      /^sso_region is missing: add it to \[sso-session corp\] in \//,
    ],
    [
      { profile: 'old' },
      '[profile old]\nsso_region = us-east-1\n',
      'config',
      /^sso_start_url is missing: add it to profile "old" in \//,
    ],
    [{}, CONFIG.replace('https://', ''), 'config', /is not a URL: corp/],
    [
      { profile: 'work' },
      CONFIG.replace('[sso-session corp]', '[sso-session firm]'),
      'usage',
      /"corp", which profile "work" names, is not in/,
    ],
  ])('is not found for %j', async (choice, config, code, message) => {
    const { env } = new Home(config);
    await expect(findSsoSession(choice, env)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it('is one of those that can be listed', async () => {
    const { env } = new Home(`${CONFIG}[sso-session half]\nsso_region = us-east-1\n`);
    expect(await listSsoSessions(env)).toEqual([{ ...CORP, profile: undefined }]);
  });

  it('is named in the command that signs in to it', () => {
    const session = { ...CORP, profile: undefined };
    expect(formatLoginCommand({ ...session, profile: 'my work' })).toBe(
      'agentcore-mcp login --profile "my work"',
    );
    expect(formatLoginCommand(session)).toBe('agentcore-mcp login --sso-session corp');
  });
});
