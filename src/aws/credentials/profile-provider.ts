import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromLoginCredentials } from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { requireConfirmed, runCommand } from '../../base/exec.ts';
import type { EndpointOptions } from '../endpoints.ts';
import type { createSdkRequestHandler } from '../sdk-client.ts';
import {
  getHomeDirectory,
  getProfilePaths,
  normalizeKey,
  type ProfileFiles,
  type Section,
} from '../shared-config.ts';
import { ACCOUNT_SCOPE, type SsoSession } from '../sso/sso-session.ts';
import { getTokenPath } from '../sso/token-cache.ts';
import { getCurrentToken } from '../sso/token-refresh.ts';
import { assumeRole } from './assume-role.ts';
import { createCredentialsError, getErrorText, quoteForShell } from './errors.ts';
import {
  getContainerCredentials,
  getInstanceCredentials,
  getWebIdentityCredentials,
} from './machine-providers.ts';
import {
  type CredentialsOptions,
  getEnvironmentCredentials,
  PROFILE_SESSION_NAME,
  type Search,
} from './options.ts';
import { describeProfile, getKeySection, getProfileKind } from './profiles.ts';

interface ProfileSurroundings {
  readonly files: ProfileFiles;
  readonly options: CredentialsOptions;
  readonly search: Search;
  readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
  /** Returns the region for STS calls of a profile. */
  readonly regionFor: (name: string, section?: Section) => string | undefined;
  /** The STS endpoint for the selected profile. */
  readonly sts: EndpointOptions;
}

/**
 * Returns the credentials of a profile and follows its source profiles. The rules are those of the
 * SDK's `fromIni`. That function cannot run a process without stdin, mixes the regions of SSO and
 * STS, and does not identify the failed profile in a chain.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function getProfileCredentials(
  name: string,
  around: ProfileSurroundings,
  isSource = false,
): Promise<AwsCredentialIdentity> {
  const { files, options, search } = around;
  const section = files.profiles.get(name) ?? {};
  const { problem } = describeProfile(name, files);
  if (problem) {
    const { config, credentials } = getProfilePaths(options.env);
    throw createCredentialsError(
      `Could not use profile "${name}": it ${problem}. Correct it in ${config} or ${credentials}`,
    );
  }
  const whose = `of profile "${name}"`;
  switch (getProfileKind(name, files, isSource)) {
    case 'static':
      return toStaticCredentials(name, getKeySection(name, files));
    case 'role':
      return assumeProfileRole(name, section, around);
    case 'web-identity':
      return getWebIdentityCredentials({
        tokenFile: section.web_identity_token_file as string,
        roleArn: section.role_arn as string,
        sessionName: section.role_session_name,
        whose,
        profile: name,
        region: around.regionFor(name, section),
        sts: around.sts,
        requestHandler: around.requestHandler,
        search,
      });
    case 'process':
      return getProcessCredentials({
        profile: name,
        command: section.credential_process as string,
        accountId: section.aws_account_id,
        env: options.env,
        signal: search.signal,
        now: options.clock?.now(),
      });
    case 'sso-session':
    case 'sso-legacy':
      return getSsoCredentials(name, section, around);
    case 'login':
      return getLoginSessionCredentials(name, section, around);
    case 'unknown':
      if (isSource && section.credential_source)
        return fromSource(section.credential_source, around);
      throw createCredentialsError(
        `Profile "${name}" has no credential settings: add keys, an SSO session, a role or a process to it`,
      );
  }
}

function toStaticCredentials(name: string, section: Section): AwsCredentialIdentity {
  const clean = (key: string) => normalizeKey(section[key] ?? '', `${key} of profile "${name}"`);
  // botocore reads the older name first.
  const sessionToken = clean(
    section.aws_security_token === undefined ? 'aws_session_token' : 'aws_security_token',
  );
  return {
    accessKeyId: clean('aws_access_key_id'),
    secretAccessKey: clean('aws_secret_access_key'),
    ...(sessionToken && { sessionToken }),
    ...(section.aws_account_id && { accountId: section.aws_account_id }),
  };
}

async function assumeProfileRole(
  name: string,
  section: Section,
  around: ProfileSurroundings,
): Promise<AwsCredentialIdentity> {
  const { source_profile: sourceProfile, credential_source: credentialSource } = section;
  const duration = section.duration_seconds ? Number(section.duration_seconds) : undefined;
  if (duration !== undefined && !Number.isInteger(duration)) {
    throw createCredentialsError(
      `Profile "${name}" has the duration_seconds "${section.duration_seconds}": set a whole number`,
    );
  }
  return assumeRole(
    {
      arn: section.role_arn as string,
      sessionName: section.role_session_name || PROFILE_SESSION_NAME,
      externalId: section.external_id,
      duration,
      mfaSerial: section.mfa_serial,
    },
    {
      source: sourceProfile
        ? await getProfileCredentials(sourceProfile, around, true)
        : await fromSource(credentialSource as string, around),
      whose: sourceProfile ? `of profile "${sourceProfile}"` : `of ${credentialSource}`,
      profile: name,
      region: around.regionFor(name, section),
      sts: around.sts,
      requestHandler: around.requestHandler,
      search: around.search,
      env: around.options.env,
    },
  );
}

async function fromSource(
  source: string,
  { options }: ProfileSurroundings,
): Promise<AwsCredentialIdentity> {
  if (source === 'EcsContainer') return getContainerCredentials(options);
  if (source === 'Ec2InstanceMetadata') return getInstanceCredentials(options);
  const found = getEnvironmentCredentials(options.env);
  if (found) return found;
  throw createCredentialsError(
    'Could not get the credentials of the profile: its credential_source is Environment. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  );
}

async function getSsoCredentials(
  name: string,
  section: Section,
  { files, options, search }: ProfileSurroundings,
): Promise<AwsCredentialIdentity> {
  const session = section.sso_session;
  const place = (session && files.ssoSessions.get(session)) || section;
  const { sso_region: ssoRegion = '', sso_start_url: ssoStartUrl = '' } = place;
  const { sso_account_id: ssoAccountId = '', sso_role_name: ssoRoleName = '' } = section;
  const login: SsoSession = {
    name: session,
    startUrl: ssoStartUrl,
    region: ssoRegion,
    scopes: [ACCOUNT_SCOPE],
    profile: name,
  };
  search.onFile(getTokenPath(login, options.env));
  // One program at a time refreshes the token, because a refresh token works once. Expiry is
  // checked with the system clock, because the times in the file were written by that clock.
  const { env, network } = options;
  const token = await getCurrentToken(login, { env, network }, search.signal);
  if (!token) throw createLoggedOutError(name);
  const { readRoleCredentials } = await import('../sso/portal-client.ts');
  try {
    return await readRoleCredentials(
      login,
      { accountId: ssoAccountId, roleName: ssoRoleName, accessToken: token.accessToken },
      { env, network },
      search.signal,
    );
  } catch (cause) {
    const words = getErrorText(cause);
    const status = cause instanceof AgentCoreError ? cause.data?.status : undefined;
    if (status === 403 || status === 404) {
      throw createCredentialsError(
        `The SSO login of profile "${name}" is valid, but has no role ${ssoRoleName} in account ${ssoAccountId}: correct sso_role_name and sso_account_id, or have the role assigned (${words})`,
        { cause },
      );
    }
    if (status === 401) throw createLoggedOutError(name, cause);
    throw createCredentialsError(
      `Could not get the credentials of profile "${name}" from IAM Identity Center in ${ssoRegion}: check sso_region and the network (${words})`,
      { cause },
    );
  }
}

function createLoggedOutError(profile: string, cause?: unknown): Error {
  const name = quoteForShell(profile);
  const words = cause === undefined ? '' : ` (${getErrorText(cause)})`;
  return createCredentialsError(
    `The SSO login of profile "${profile}" is missing or has expired: run "agentcore-mcp login --profile ${name}" or "aws sso login --profile ${name}"${words}`,
    { cause, login: profile },
  );
}

/** Credentials of an `aws login` session. The SDK refreshes them while the session lasts. */
async function getLoginSessionCredentials(
  name: string,
  section: Section,
  { options, search, requestHandler, regionFor }: ProfileSurroundings,
): Promise<AwsCredentialIdentity> {
  const { env } = options;
  const folder =
    env.AWS_LOGIN_CACHE_DIRECTORY ?? join(getHomeDirectory(env), '.aws', 'login', 'cache');
  const file = createHash('sha256')
    .update(section.login_session as string)
    .digest('hex');
  search.onFile(join(folder, `${file}.json`));
  const region = regionFor(name, section);
  // The SDK requires a profile in a file. Write a temporary file with the single setting that the
  // SDK needs, as parsed here.
  const own = await mkdtemp(join(tmpdir(), 'agentcore-mcp-login-'));
  try {
    const configFilepath = join(own, 'config');
    await writeFile(configFilepath, `[default]\nlogin_session = ${section.login_session}\n`, {
      mode: 0o600,
    });
    return await fromLoginCredentials({
      profile: 'default',
      configFilepath,
      filepath: join(own, 'credentials'),
      ignoreCache: true,
      clientConfig: { ...(region && { region }), requestHandler },
    })();
  } catch (cause) {
    throw createCredentialsError(
      `The login of profile "${name}" is missing or has expired: run "aws login --profile ${quoteForShell(name)}" (${getErrorText(cause)})`,
      { cause, login: name },
    );
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

interface ProcessOptions {
  readonly profile: string;
  readonly command: string;
  /** The profile's account ID, used if the process does not return one. */
  readonly accountId: string | undefined;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Timeout in milliseconds. */
  readonly timeoutMs?: number;
  /** Current time for the expiry check. The default is the system clock. */
  readonly now?: number | undefined;
}

/**
 * Runs a profile's `credential_process` in a shell like the AWS SDKs, but with stdin closed. The
 * SDK for JavaScript leaves stdin open, so a process that reads it would hang. Error messages never
 * contain stdout.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function getProcessCredentials(
  options: ProcessOptions,
): Promise<AwsCredentialIdentity> {
  const { profile, env, accountId, now = Date.now() } = options;
  // An indented line continues the command.
  const command = options.command.replace(/\s*\n\s*/g, ' ');
  requireConfirmed(
    { kind: 'credential_process', text: command },
    env,
    `Could not get the credentials of profile "${profile}": its credential_process comes from the workspace and is not confirmed. Review the command in VS Code.`,
  );
  const fail = (what: string) =>
    createCredentialsError(`The credential_process of profile "${profile}" ${what}`);
  const text = await runCommand({ ...options, command }, fail);
  let answer: Record<string, unknown> | null;
  try {
    answer = JSON.parse(text.trim());
  } catch {
    throw fail('did not write JSON: run it in a terminal to see its output');
  }
  const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration, AccountId } =
    answer ?? {};
  if (Version !== 1) throw fail('did not write "Version": 1');
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string') {
    throw fail('did not write AccessKeyId and SecretAccessKey');
  }
  const expiration = Expiration ? new Date(String(Expiration)) : undefined;
  if (expiration && !(expiration.getTime() > now)) {
    throw fail(
      Number.isNaN(expiration.getTime())
        ? 'wrote an Expiration that is not an ISO 8601 time'
        : `wrote credentials that expired at ${expiration.toISOString()}: sign in to their source`,
    );
  }
  const account = AccountId || accountId;
  const clean = (value: string, name: string) =>
    normalizeKey(value, `the ${name} of the credential_process of profile "${profile}"`);
  return {
    accessKeyId: clean(AccessKeyId, 'AccessKeyId'),
    secretAccessKey: clean(SecretAccessKey, 'SecretAccessKey'),
    ...(typeof SessionToken === 'string' && {
      sessionToken: clean(SessionToken, 'SessionToken'),
    }),
    ...(expiration && { expiration }),
    ...(account !== undefined && { accountId: String(account) }),
  };
}
