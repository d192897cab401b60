import { describe, expect, it, onTestFinished } from 'vitest';
import { RoleTargets } from '../../../src/aws/credentials/recent-roles.ts';
import { findSsoSession } from '../../../src/aws/sso/sso-session.ts';
import { writeToken } from '../../../src/aws/sso/token-cache.ts';
import { IdentitiesModel } from '../../../src/extension/models/identities-model.ts';
import {
  type CredentialNode,
  ProfilesModel,
} from '../../../src/extension/models/profiles-model.ts';
import { CredentialsView } from '../../../src/extension/views/credentials-view.ts';
import { accessKey, CredentialHome, keys } from '../../aws/credentials/credential-fixtures.ts';
import { start, statelessMcp } from '../../local/harness.ts';
import { commands } from '../vscode-stub.ts';

const USER = accessKey('user');
const HOUR = 3_600_000;

const CONFIG = `
[profile sso]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Reader
[profile lost]
role_arn = arn:aws:iam::123456789012:role/Deployer
source_profile = nowhere
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[sso-session other]
sso_start_url = https://other.awsapps.com/start
sso_region = eu-west-1
`;

async function setUp(config: string, env: Record<string, string> = {}) {
  const home = await CredentialHome.make({ config, credentials: keys('work', USER) });
  const all = { ...home.env, ...env };
  const identities = new IdentitiesModel(() => all);
  const profiles = new ProfilesModel(() => all);
  const view = new CredentialsView({ profiles, identities });
  for (const one of [profiles, view]) onTestFinished(() => one.dispose());
  const told = async (node?: CredentialNode) =>
    (await view.getChildren(node)).map((child) => {
      const { label, description, contextValue } = view.getTreeItem(child);
      return [label, description, contextValue];
    });
  const named = async (name: string) =>
    (await view.getChildren()).find((node) => view.getTreeItem(node).label === name);
  return { home, env: all, view, told, named };
}

async function signIn(env: Record<string, string>, milliseconds: number) {
  const session = await findSsoSession({ ssoSession: 'corp' }, env);
  const expiresAt = new Date(Date.now() + milliseconds);
  const token = {
    accessToken: 'token',
    expiresAt,
    refreshToken: undefined,
    registration: undefined,
  };
  await writeToken(session, token, env);
}

describe('the Credentials view', () => {
  it('shows SSO sessions and profiles, with their state and kind', async () => {
    const { env, told } = await setUp(CONFIG);
    await signIn(env, 2 * HOUR + 30_000);
    expect(await told()).toEqual([
      ['corp', 'SSO session · signed in, ends in 2 h', 'sso;signedIn'],
      ['other', 'SSO session · signed out', 'sso;signedOut'],
      ['lost', expect.stringMatching(/^role · .*"nowhere"/), 'profile;broken'],
      ['sso', 'SSO', 'profile;sso-session'],
      ['work', 'access key', 'profile;static'],
    ]);
  });

  it('shows an expired login', async () => {
    const { env, told } = await setUp(CONFIG);
    await signIn(env, -HOUR);
    const [corp] = await told();
    expect(corp).toEqual(['corp', 'SSO session · expired 1 h ago', 'sso;expired']);
  });

  it('gets the caller identity when a profile is expanded, and shows the error if this fails', async () => {
    const local = await start({ server: statelessMcp() }, { accessKeys: [USER.config] });
    const { told, named } = await setUp(CONFIG, { AWS_ENDPOINT_URL: local.url });
    expect(await told(await named('work'))).toEqual([
      ['user user', expect.stringContaining('123456789012'), 'identity'],
    ]);
    expect((await told()).at(-1)).toEqual(['work', 'access key · 123456789012', 'profile;static']);
    expect(await told(await named('sso'))).toEqual([
      [expect.stringContaining('login of profile "sso" is missing'), undefined, 'problem'],
    ]);
  });

  it('shows the access key of the environment, and recently assumed roles', async () => {
    const { env, view, told, named } = await setUp('', {
      AWS_ACCESS_KEY_ID: USER.accessKeyId,
      AWS_SECRET_ACCESS_KEY: USER.secretAccessKey,
    });
    const arn = 'arn:aws:iam::210987654321:role/team/Deployer';
    await new RoleTargets(env.AGENTCORE_STATE_DIR as string).touch({
      arn,
      sessionName: 'me',
      sourceProfile: 'work',
    });
    expect((await told()).slice(1)).toEqual([
      ['Environment', 'access key', 'environment'],
      ['Roles', '1 to assume', 'roles'],
    ]);
    expect(await told(await named('Roles'))).toEqual([
      ['Deployer', '210987654321 · with work', 'role'],
    ]);
    expect((await view.getChildren(await named('Roles')))[0]).toMatchObject({ arn });
  });

  it('shows the readable parts, and reports each unreadable part once', async () => {
    const { env, home, told } = await setUp(CONFIG);
    env.AWS_CONFIG_FILE = home.path;
    const items = await told();
    expect(items).toEqual([[expect.stringContaining(home.path), undefined, 'problem']]);
  });

  it('shows the welcome content if it is empty', async () => {
    const { env, home, told } = await setUp('');
    await home.write('credentials', '');
    commands.run.length = 0;
    expect(await told()).toEqual([]);
    expect(commands.run).toContainEqual(['setContext', 'agentcore.hasProfiles', false]);
    expect(env.HOME).toBe(home.path);
  });
});
