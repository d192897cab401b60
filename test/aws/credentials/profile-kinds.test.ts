import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { createCredentialProvider } from '../../../src/aws/credentials/provider.ts';
import { runLogin } from '../../../src/cli/login.ts';
import { Network } from '../../../src/http/network.ts';
import type { LocalConfig } from '../../../src/local/config/schema.ts';
import type { LocalRuntime } from '../../../src/local/local-runtime.ts';
import { MAX_WAIT_MS } from '../../fixtures/bounds.ts';
import { start, statelessMcp } from '../../local/harness.ts';
import { accessKey, CredentialHome, callUntil, keys, serve } from './credential-fixtures.ts';

/** Milliseconds. Longer than the steps of these tests take on a quiet machine. */
const ACCOUNT = '123456789012';
const ROLE = `arn:aws:iam::${ACCOUNT}:role/caller`;
const TOKEN = 'hush-session-token';
const KEY = accessKey('machine', { sessionToken: TOKEN });
const USER = accessKey('user');
const SECRETS = [KEY.secretAccessKey, USER.secretAccessKey, TOKEN];

function startLocal(more: Omit<LocalConfig, 'runtimes'> = {}): Promise<LocalRuntime> {
  return start({ server: statelessMcp() }, { accessKeys: [USER.config, KEY.config], ...more });
}

/** Calls the server with credentials from the source that these settings name. */
async function expectToWork(
  local: LocalRuntime,
  home: CredentialHome,
  env: Record<string, string>,
): Promise<void> {
  const proxy = home.proxy(local, env);
  const { result, error } = await proxy.initialize();
  expect(error?.message).toBeUndefined();
  expect(result.serverInfo.name).toBe('fixture');
  expect((await proxy.call('echo')).result).toBeDefined();
  await home.expectNoSecret(SECRETS);
}

async function failure(
  local: LocalRuntime,
  home: CredentialHome,
  env: Record<string, string>,
): Promise<string> {
  const { error } = await home.proxy(local, env).initialize();
  expect(error?.data.reason).toBe('credentials');
  await home.expectNoSecret(SECRETS);
  return error.message;
}

/** The credentials that the metadata services return. */
function metadataKey(): string {
  return JSON.stringify({
    Code: 'Success',
    AccessKeyId: KEY.accessKeyId,
    SecretAccessKey: KEY.secretAccessKey,
    Token: TOKEN,
    Expiration: new Date(Date.now() + 3_600_000).toISOString(),
  });
}

/** The endpoint of a container agent that requires a token. */
async function container(): Promise<Record<string, string>> {
  const url = await serve((request, response) => {
    const isIn = request.headers.authorization === 'hush-of-the-pod';
    response.writeHead(isIn ? 200 : 401, { 'content-type': 'application/json' });
    response.end(isIn ? metadataKey() : '{}');
  });
  return {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'hush-of-the-pod',
  };
}

/** The metadata service of an instance, version 2. */
async function instance(): Promise<Record<string, string>> {
  const answers: Record<string, (request: IncomingMessage) => string | undefined> = {
    '/latest/api/token': ({ method }) => (method === 'PUT' ? 'hush-of-imds' : undefined),
    '/latest/meta-data/iam/security-credentials/': () => 'worker',
    '/latest/meta-data/iam/security-credentials/worker': ({ headers }) =>
      headers['x-aws-ec2-metadata-token'] === 'hush-of-imds' ? metadataKey() : undefined,
  };
  const url = await serve((request, response) => {
    const answer = answers[request.url ?? '']?.(request);
    response.writeHead(answer === undefined ? 404 : 200);
    response.end(answer);
  });
  return { AWS_EC2_METADATA_SERVICE_ENDPOINT: url, AWS_EC2_METADATA_DISABLED: 'false' };
}

describe('credentials are found for a profile of the kind', () => {
  it('static, with a session token', async () => {
    const credentials = `${keys('work', KEY)}aws_session_token = ${TOKEN}\n`;
    const home = await CredentialHome.make({ credentials });
    await expectToWork(await startLocal(), home, { AWS_PROFILE: 'work' });
  });

  it('role over a role, each with its own source', async () => {
    const middle = `arn:aws:iam::${ACCOUNT}:role/middle`;
    const local = await startLocal({
      roles: [{ arn: middle }, { arn: ROLE, trustedPrincipals: [middle], externalId: 'partner-7' }],
    });
    const home = await CredentialHome.make({
      config: `[profile work]\nrole_arn = ${ROLE}\nsource_profile = mid\nexternal_id = partner-7\nduration_seconds = 900\n[profile mid]\nrole_arn = ${middle}\nsource_profile = base\n`,
      credentials: keys('base', USER),
    });
    await expectToWork(local, home, { AWS_PROFILE: 'work' });
  });

  it.each([
    ['Environment', async () => ({})],
    ['EcsContainer', container],
    ['Ec2InstanceMetadata', instance],
  ])('role with the credential_source %s', async (source, surroundings) => {
    const local = await startLocal({ roles: [{ arn: ROLE }] });
    const home = await CredentialHome.make({
      config: `[profile work]\nrole_arn = ${ROLE}\ncredential_source = ${source}\n`,
    });
    const env = source === 'Environment' && {
      AWS_ACCESS_KEY_ID: USER.accessKeyId,
      AWS_SECRET_ACCESS_KEY: USER.secretAccessKey,
    };
    await expectToWork(local, home, { AWS_PROFILE: 'work', ...env, ...(await surroundings()) });
  });

  it('none, in a container or on an instance', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make();
    await expectToWork(local, home, await container());
    await expectToWork(local, home, await instance());
  });

  it('none, if the container agent does not respond', async () => {
    const home = await CredentialHome.make();
    const message = await failure(await startLocal(), home, {
      ...(await container()),
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'wrong',
    });
    expect(message).toContain('check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI');
  });
});

describe('a web identity', () => {
  async function pod(audience = 'sts.amazonaws.com') {
    const local = await startLocal({
      roles: [{ arn: ROLE, webIdentity: { audience: ['sts.amazonaws.com'] } }],
      oauth: { clients: { pod: { secret: 'hush-client' } } },
    });
    const { accessToken } = await local.oauth.issue({ clientId: 'pod', audience });
    const home = await CredentialHome.make();
    await writeFile(home.file('token'), accessToken);
    return { local, home, accessToken };
  }

  it('is read from the environment', async () => {
    const { local, home, accessToken } = await pod();
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: home.file('token'), AWS_ROLE_ARN: ROLE };
    await expectToWork(local, home, env);
    await home.expectNoSecret([accessToken]);
  });

  it('is read from a profile', async () => {
    const { local, home } = await pod();
    const file = `web_identity_token_file = ${home.file('token')}`;
    await home.write('config', `[profile work]\nrole_arn = ${ROLE}\n${file}\n`);
    await expectToWork(local, home, { AWS_PROFILE: 'work' });
  });

  it('is reported if it is rejected or missing', async () => {
    const { local, home, accessToken } = await pod('somebody-else');
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: home.file('token'), AWS_ROLE_ARN: ROLE };
    const refused = await failure(local, home, env);
    expect(refused).toContain(`the token in ${home.file('token')} was rejected`);
    expect(refused).not.toContain(accessToken);
    const none = { ...env, AWS_WEB_IDENTITY_TOKEN_FILE: home.file('none') };
    expect(await failure(local, home, none)).toContain(`have ${home.file('none')} written`);
  });
});

describe('an SSO profile', () => {
  const profile = 'sso_account_id = 123456789012\nsso_role_name = Developer\n';

  async function corporate(more: object = {}, sessionDuration = 3_600) {
    const roles = { Developer: { sessionDuration } };
    const users = { ada: { accounts: { [ACCOUNT]: { roles } } } };
    const local = await startLocal({ sso: { users, ...more } });
    const { startUrl, region } = local.sso;
    const place = `sso_start_url = ${startUrl}\nsso_region = ${region}\n`;
    const home = await CredentialHome.make({
      config: `[profile work]\nsso_session = corp\n${profile}[sso-session corp]\n${place}sso_registration_scopes = sso:account:access\n[profile legacy]\n${place}${profile}`,
    });
    return { local, home };
  }

  /** Signs in like `agentcore-mcp login`, with a user who approves at once. */
  async function login(local: LocalRuntime, home: CredentialHome, profile = 'work') {
    const env = { ...home.env, AWS_ENDPOINT_URL: local.url };
    const stdout = new PassThrough().setEncoding('utf8');
    stdout.on('data', (text: string) => {
      const code = /"userCode":"([^"]+)"/.exec(text)?.[1];
      if (code) local.sso.approve(code);
    });
    const streams = { stdout, stderr: new PassThrough() };
    const options = { profile, device: true, json: true, force: true };
    expect(await runLogin(options, env, streams, AbortSignal.timeout(MAX_WAIT_MS))).toBe(0);
  }

  /** The names of the requests to the portal and to OIDC. */
  const asked = (local: LocalRuntime, method: string) =>
    local.requests.filter(({ rpcMethod }) => rpcMethod === method).length;

  it.each(['work', 'legacy'])('works after the user has signed in: %s', async (name) => {
    const { local, home } = await corporate();
    const proxy = home.proxy(local, { AWS_PROFILE: name });
    const { error } = await proxy.initialize();
    expect(error.message).toContain(`"agentcore-mcp login --profile ${name}"`);
    await login(local, home, name);
    expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
  });

  it('refreshes its SSO token and its role’s credentials silently', async () => {
    const { local, home } = await corporate({ accessTokenDuration: 2 }, 2);
    await login(local, home);
    const before = asked(local, 'CreateToken');
    const proxy = home.proxy(local, { AWS_PROFILE: 'work' });
    await proxy.initialize({ elicitation: {} });
    const renewed = vi.waitFor(
      () => expect(asked(local, 'CreateToken')).toBeGreaterThan(before + 1),
      MAX_WAIT_MS,
    );
    const { open } = await callUntil(proxy, renewed);
    for (const call of open) expect((await call).result).toBeDefined();
    const isNoAnswer = ({ method, error }: { method?: string; error?: unknown }) => method || error;
    expect(proxy.lines.filter(isNoAnswer)).toEqual([]);
    await home.expectNoSecret(SECRETS);
  });

  it('fails with the command to run after its token is revoked, and works after a new login', async () => {
    const { local, home } = await corporate({}, 2);
    await login(local, home);
    const proxy = home.proxy(local, { AWS_PROFILE: 'work' });
    await proxy.initialize();
    expect(local.sso.revoke('ada')).toBe(1);
    const { happened } = await callUntil(
      proxy,
      proxy.next('a failure', ({ error }) => error),
    );
    expect(happened.error.message).toContain('"agentcore-mcp login --profile work"');
    await login(local, home);
    expect((await proxy.call('echo')).result).toBeDefined();
    await home.expectNoSecret(SECRETS);
  });

  it('opens a sign-in page from within a call if its token has expired', async () => {
    const { local, home } = await corporate({}, 2);
    await login(local, home);
    const proxy = home.proxy(local, { AWS_PROFILE: 'work' });
    await proxy.initialize({ elicitation: { form: {}, url: {} } });
    local.sso.revoke('ada');
    const isQuestion = ({ method }: { method?: string }) => method === 'elicitation/create';
    const { happened, open } = await callUntil(proxy, proxy.next('the question', isQuestion));
    const { mode, url, message } = happened.params;
    expect(mode).toBe('url');
    const code = new URL(url).searchParams.get('user_code') ?? '';
    expect(message).toContain(`confirm the code ${code}`);
    proxy.send({ jsonrpc: '2.0', id: happened.id, result: { action: 'accept' } });
    local.sso.approve(code);
    for (const call of open) expect((await call).result).toBeDefined();
    expect(proxy.lines.filter(isQuestion)).toHaveLength(1);
    await home.expectNoSecret(SECRETS);
  });

  it('reports how to correct a missing role', async () => {
    const { local, home } = await corporate();
    await login(local, home);
    const config = await readFile(home.file('config'), 'utf8');
    await home.write('config', config.replaceAll('Developer', 'Owner'));
    const message = await failure(local, home, { AWS_PROFILE: 'work' });
    expect(message).toContain('has no role Owner in account 123456789012');
  });
});

describe('a profile of aws login', () => {
  const SESSION = `arn:aws:iam::${ACCOUNT}:user/machine`;

  async function signedIn(seconds: number): Promise<{ home: CredentialHome; file: string }> {
    const home = await CredentialHome.make({
      config: `[profile work]\nlogin_session = ${SESSION}\n`,
    });
    const folder = join(home.path, '.aws', 'login', 'cache');
    await mkdir(folder, { recursive: true });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const file = join(folder, `${createHash('sha256').update(SESSION).digest('hex')}.json`);
    const token = {
      accessToken: {
        accessKeyId: KEY.accessKeyId,
        secretAccessKey: KEY.secretAccessKey,
        sessionToken: seconds > 0 ? TOKEN : 'hush-expired',
        accountId: ACCOUNT,
        expiresAt: new Date(Date.now() + seconds * 1_000).toISOString(),
      },
      tokenType: 'aws_sigv4',
      refreshToken: 'hush-refresh-token',
      clientId: 'arn:aws:signin:::devtools/same-device',
      dpopKey: privateKey.export({ type: 'sec1', format: 'pem' }),
    };
    await writeFile(file, JSON.stringify(token));
    return { home, file };
  }

  it('works with the files of the login', async () => {
    const { home } = await signedIn(3_600);
    await expectToWork(await startLocal(), home, { AWS_PROFILE: 'work' });
  });

  it('is refreshed if it has expired', async () => {
    const { home, file } = await signedIn(-60);
    const { accessKeyId, secretAccessKey } = KEY;
    const AWS_ENDPOINT_URL_SIGNIN = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const accessToken = { accessKeyId, secretAccessKey, sessionToken: TOKEN };
      const answer = { tokenType: 'aws_sigv4', expiresIn: 900, refreshToken: 'hush-next' };
      response.end(JSON.stringify({ accessToken, ...answer }));
    });
    const env = { AWS_PROFILE: 'work', AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL_SIGNIN };
    await expectToWork(await startLocal(), home, env);
    expect(JSON.parse(await readFile(file, 'utf8')).refreshToken).toBe('hush-next');
    await home.expectNoSecret(['hush-next', 'hush-refresh-token']);
  });

  it('names the command to run if it cannot be refreshed', async () => {
    const { home } = await signedIn(-60);
    const AWS_ENDPOINT_URL_SIGNIN = await serve((_, response) => {
      const type = 'AccessDeniedException';
      response.writeHead(403, { 'content-type': 'application/json', 'x-amzn-errortype': type });
      response.end(JSON.stringify({ error: 'TOKEN_EXPIRED', message: 'expired' }));
    });
    const env = { AWS_PROFILE: 'work', AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL_SIGNIN };
    const message = await failure(await startLocal(), home, env);
    expect(message).toContain('run "aws login --profile work"');
  });
});

describe('the error for an invalid profile', () => {
  const found = (home: CredentialHome, profile: string) =>
    createCredentialProvider({
      profile,
      region: undefined,
      assumeRole: undefined,
      network: new Network({}),
      env: home.env,
    })();

  it('names the profile, its files and the mistake', async () => {
    const home = await CredentialHome.make({
      config: `[profile work]\nrole_arn = ${ROLE}\nsource_profile = base\n[profile base]\naws_access_key_id = AKIA\n`,
    });
    await expect(found(home, 'work')).rejects.toThrow(
      `Could not use profile "work": it has the source profile "base", which lacks aws_secret_access_key. Correct it in ${home.file('config')} or ${home.file('credentials')}`,
    );
  });

  it('reports a missing region', async () => {
    const home = await CredentialHome.make({
      config: `[profile work]\nrole_arn = ${ROLE}\nsource_profile = base\n`,
      credentials: keys('base', USER),
    });
    await expect(found(home, 'work')).rejects.toThrow(
      `No region to assume ${ROLE} in: set AWS_REGION, or "region" in profile "work"`,
    );
  });
});
