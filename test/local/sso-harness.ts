import { createHash, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetRoleCredentialsCommand,
  ListAccountRolesCommand,
  ListAccountsCommand,
  SSOClient,
} from '@aws-sdk/client-sso';
import {
  CreateTokenCommand,
  RegisterClientCommand,
  type RegisterClientCommandInput,
  SSOOIDCClient,
  StartDeviceAuthorizationCommand,
} from '@aws-sdk/client-sso-oidc';
import { onTestFinished, vi } from 'vitest';
import type { LocalConfig } from '../../src/local/config/schema.ts';
import type { LocalRuntime, LocalRuntimeOptions } from '../../src/local/local-runtime.ts';
import { start } from './harness.ts';

export const ACCOUNT = '123456789012';
export const OTHER_ACCOUNT = '210987654321';
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
export const SCOPE = 'sso:account:access';
const CALLBACK = 'http://127.0.0.1/oauth/callback';

type SsoSettings = NonNullable<LocalConfig['sso']>;

const USERS: SsoSettings['users'] = {
  ada: {
    accounts: {
      [ACCOUNT]: {
        name: 'Development',
        email: 'dev@example.com',
        roles: {
          Developer: {},
          Reader: { denied: ['bedrock-agentcore:InvokeAgentRuntime'], sessionDuration: 900 },
        },
      },
      [OTHER_ACCOUNT]: { name: 'Production', roles: { Reader: {} } },
    },
  },
  grace: { accounts: {} },
};

/** A local runtime with SSO, and no runtimes except the given ones. */
export function startSso(
  settings: Partial<SsoSettings> = {},
  more: Partial<LocalConfig> = {},
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  const { runtimes = {}, ...rest } = more;
  return start(runtimes, { ...rest, sso: { users: USERS, ...settings } }, options);
}

export function oidc(local: LocalRuntime): SSOOIDCClient {
  const client = new SSOOIDCClient({ endpoint: local.url, region: 'us-east-1', maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

export function portal(local: LocalRuntime): SSOClient {
  const client = new SSOClient({ endpoint: local.url, region: 'us-east-1', maxAttempts: 1 });
  onTestFinished(() => client.destroy());
  return client;
}

export interface Client {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Registers like the AWS CLI for a login by authorization code, unless options differ. */
export async function register(
  local: LocalRuntime,
  more: Partial<RegisterClientCommandInput> = {},
): Promise<Client> {
  const { clientId = '', clientSecret = '' } = await oidc(local).send(
    new RegisterClientCommand({
      clientName: 'a test',
      clientType: 'public',
      grantTypes: ['authorization_code', 'refresh_token', DEVICE_CODE],
      redirectUris: [CALLBACK],
      scopes: [SCOPE],
      issuerUrl: local.sso.startUrl,
      ...more,
    }),
  );
  return { clientId, clientSecret };
}

export function startDevice(local: LocalRuntime, client: Client) {
  const { startUrl } = local.sso;
  return oidc(local).send(new StartDeviceAuthorizationCommand({ ...client, startUrl }));
}

export function pollDevice(local: LocalRuntime, client: Client, deviceCode: string | undefined) {
  return oidc(local).send(
    new CreateTokenCommand({ ...client, grantType: DEVICE_CODE, deviceCode }),
  );
}

export function refresh(local: LocalRuntime, client: Client, refreshToken: string | undefined) {
  return oidc(local).send(
    new CreateTokenCommand({ ...client, grantType: 'refresh_token', refreshToken }),
  );
}

export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly client: Client;
}

/** Signs a user in with the device flow, with or without a refresh token. */
export async function signInByDevice(
  local: LocalRuntime,
  user = 'ada',
  registration: Partial<RegisterClientCommandInput> = {},
) {
  const client = await register(local, registration);
  const { deviceCode, userCode = '' } = await startDevice(local, client);
  local.sso.approve(userCode, user);
  return { ...(await pollDevice(local, client, deviceCode)), client };
}

/** Signs in as a client that gets a refresh token, because it requests a scope. */
export async function signIn(
  local: LocalRuntime,
  user = 'ada',
  registration: Partial<RegisterClientCommandInput> = {},
): Promise<SignedIn> {
  const tokens = await signInByDevice(local, user, registration);
  const { accessToken, refreshToken, expiresIn, client } = tokens;
  if (accessToken === undefined || refreshToken === undefined || expiresIn === undefined) {
    throw new Error('The sign-in gave no tokens, or none to refresh by');
  }
  return { accessToken, refreshToken, expiresIn, client };
}

export const listAccounts = (local: LocalRuntime, accessToken: string, more: object = {}) =>
  portal(local).send(new ListAccountsCommand({ accessToken, ...more }));

export const listRoles = (
  local: LocalRuntime,
  accessToken: string,
  accountId = ACCOUNT,
  more: object = {},
) => portal(local).send(new ListAccountRolesCommand({ accessToken, accountId, ...more }));

export async function roleCredentials(
  local: LocalRuntime,
  accessToken: string,
  roleName = 'Developer',
  accountId = ACCOUNT,
) {
  const { roleCredentials: found } = await portal(local).send(
    new GetRoleCredentialsCommand({ accessToken, accountId, roleName }),
  );
  const { accessKeyId = '', secretAccessKey = '', sessionToken = '', expiration = 0 } = found ?? {};
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(expiration) };
}

export function pkce() {
  const verifier = randomUUID() + randomUUID();
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The URL that a client opens in the browser. */
export function authorizeUrl(
  local: LocalRuntime,
  { clientId }: Client,
  more: Readonly<Record<string, string | undefined>> = {},
): URL {
  const url = new URL('/authorize', local.url);
  const parameters: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: 'http://127.0.0.1:50123/oauth/callback',
    state: 'a-state',
    code_challenge_method: 'S256',
    code_challenge: pkce().challenge,
    scopes: SCOPE,
    ...more,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url;
}

/** Sends a form like a browser, without following redirects. */
export function submit(
  url: URL | string,
  fields: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const body = new URLSearchParams(fields);
  return fetch(url, { method: 'POST', body, headers, redirect: 'manual' });
}

export interface Home {
  /** A unique name, because the SDK stores the time of its last refresh by session name. */
  readonly session: string;
  readonly startUrl: string;
  writeToken(token: Readonly<Record<string, unknown>>, key?: string): Promise<void>;
  readToken(): Promise<Record<string, string>>;
}

/** A home folder with AWS profiles for a local runtime, set in the environment of this process. */
export async function awsHome(local: LocalRuntime): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-sso-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const cache = join(folder, '.aws', 'sso', 'cache');
  await mkdir(cache, { recursive: true });
  const session = `local-${randomUUID()}`;
  const { startUrl, region } = local.sso;
  const role = `sso_account_id = ${ACCOUNT}\nsso_role_name = `;
  const sso = `sso_start_url = ${startUrl}\nsso_region = ${region}`;
  await writeFile(
    join(folder, '.aws', 'config'),
    `[sso-session ${session}]\n${sso}\nsso_registration_scopes = ${SCOPE}\n` +
      `[profile developer]\nsso_session = ${session}\n${role}Developer\n` +
      `[profile reader]\nsso_session = ${session}\n${role}Reader\n` +
      `[profile stranger]\nsso_session = ${session}\n${role}Administrator\n` +
      `[profile legacy]\n${sso}\n${role}Developer\n`,
  );
  const environment = {
    HOME: folder,
    USERPROFILE: folder,
    AWS_CONFIG_FILE: join(folder, '.aws', 'config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, '.aws', 'credentials'),
    AWS_ENDPOINT_URL: local.url,
    AWS_REGION: local.region,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  for (const name of ['AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
    vi.stubEnv(name, undefined);
  }
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const file = (key: string) => join(cache, `${createHash('sha1').update(key).digest('hex')}.json`);
  return {
    session,
    startUrl,
    writeToken: (token, key = session) => writeFile(file(key), JSON.stringify(token)),
    readToken: async () => JSON.parse(await readFile(file(session), 'utf8')),
  };
}

/** The content of the cache file after a login. */
export function cachedToken(local: LocalRuntime, signedIn: SignedIn) {
  return {
    startUrl: local.sso.startUrl,
    region: local.sso.region,
    accessToken: signedIn.accessToken,
    expiresAt: new Date(Date.now() + signedIn.expiresIn * 1000).toISOString(),
    ...signedIn.client,
    registrationExpiresAt: new Date(Date.now() + 7_776_000_000).toISOString(),
    refreshToken: signedIn.refreshToken,
  };
}
