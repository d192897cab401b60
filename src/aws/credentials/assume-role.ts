import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AssumeRoleCommand, type Credentials as StsCredentials } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../base/environment.ts';
import { type AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { ensurePrivateDirectory, replaceFile } from '../../base/files.ts';
import type { EndpointOptions } from '../endpoints.ts';
import { type TrustedPrincipal, toTrustedPrincipal } from '../iam/policies.ts';
import type { createSdkRequestHandler } from '../sdk-client.ts';
import { getHomeDirectory } from '../shared-config.ts';
import { createStsClient } from '../sts.ts';
import { createCredentialsError, getErrorText, quoteForShell, toSignatureError } from './errors.ts';
import { PROFILE_SESSION_NAME, type RoleStep, type Search } from './options.ts';

interface RoleMeans {
  readonly source: AwsCredentialIdentity;
  /** The owner of the credentials, for messages: `of profile "work"`, `of ROLE`. */
  readonly whose: string;
  /** The profile with the role, if any. */
  readonly profile: string | undefined;
  readonly region: string | undefined;
  readonly sts: EndpointOptions;
  readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
  readonly search: Search;
  readonly env: Environment;
}

/**
 * Assumes a role. If the role needs MFA, it uses the cache of the AWS CLI or prompts for a code.
 *
 * @throws {AgentCoreError} `credentials`, with the action to take.
 */
export async function assumeRole(role: RoleStep, means: RoleMeans): Promise<AwsCredentialIdentity> {
  const { mfaSerial } = role;
  if (!mfaSerial) return assume(role, undefined, means);
  const { env, search } = means;
  return withRoleCache(role, { env, onFile: search.onFile }, async () =>
    assume(role, await askForCode(role, mfaSerial, means), means),
  );
}

async function assume(
  role: RoleStep,
  code: string | undefined,
  means: RoleMeans,
): Promise<AwsCredentialIdentity> {
  const { source, whose, region, sts, requestHandler, search } = means;
  if (!region) throw createMissingRegionError(`assume ${role.arn}`, means.profile);
  const client = createStsClient({ region, credentials: source, sts, requestHandler });
  const command = new AssumeRoleCommand({
    RoleArn: role.arn,
    RoleSessionName: role.sessionName,
    ExternalId: role.externalId,
    DurationSeconds: role.duration,
    SourceIdentity: role.sourceIdentity,
    ...(code && { SerialNumber: role.mfaSerial, TokenCode: code }),
  });
  try {
    const { Credentials: found } = await client.send(command, { abortSignal: search.signal });
    return toCredentialIdentity(found);
  } catch (cause) {
    throw createAssumeRoleError(cause, role, whose);
  }
  // Do not destroy the client: other clients share its request handler.
}

/** Converts the credentials in an STS response. */
export function toCredentialIdentity(found: StsCredentials | undefined): AwsCredentialIdentity {
  if (!found?.AccessKeyId || !found.SecretAccessKey) {
    throw new Error('the answer has no credentials');
  }
  return {
    accessKeyId: found.AccessKeyId,
    secretAccessKey: found.SecretAccessKey,
    ...(found.SessionToken && { sessionToken: found.SessionToken }),
    ...(found.Expiration && { expiration: found.Expiration }),
  };
}

/** The error for an STS call without a region. */
export function createMissingRegionError(what: string, profile: string | undefined): Error {
  const where = profile ? `"region" in profile "${profile}"` : '"region" in the default profile';
  return createCredentialsError(`No region to ${what} in: set AWS_REGION, or ${where}`);
}

async function askForCode(role: RoleStep, serial: string, means: RoleMeans): Promise<string> {
  const { search } = means;
  const needed = (why: string, cause?: unknown) =>
    createCredentialsError(
      `Could not assume ${role.arn}: it requires a code of the MFA device ${serial}${why}. ${formatMfaCommand(role, serial, means.profile)}`,
      { cause },
    );
  if (!search.prompts) throw needed(', and this program cannot prompt for one');
  try {
    return (await search.prompts.mfaCode(serial, search.signal)).trim();
  } catch (cause) {
    throw needed(` (${getErrorMessage(cause)})`, cause);
  }
}

/**
 * Returns the AWS CLI command for these credentials. In a terminal, the CLI prompts for the MFA
 * code.
 */
function formatMfaCommand(role: RoleStep, serial: string, profile: string | undefined): string {
  if (profile !== undefined) {
    return `Run "aws configure export-credentials --profile ${quoteForShell(profile)} --format env" in a terminal, then start this program without AWS_PROFILE and with the printed variables`;
  }
  return `Run "aws sts assume-role --role-arn ${role.arn} --role-session-name ${quoteForShell(role.sessionName)} --serial-number ${quoteForShell(serial)} --token-code CODE" in a terminal, then start this program without AGENTCORE_ASSUME_ROLE_ARN, and with the printed values in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN`;
}

/** A missing policy statement and the policy to add it to. */
interface MissingStatement {
  /** `caller`: a policy of the calling principal. `trust`: the role's trust policy. */
  readonly of: 'caller' | 'trust';
  readonly statement: object;
}

/** Converts an AssumeRole error to an error with the required change and the policy to change. */
export function createAssumeRoleError(
  cause: unknown,
  role: RoleStep,
  whose: string,
): AgentCoreError {
  const words = getErrorText(cause);
  const { name } = cause as Error;
  const fail = (sentence: string) =>
    createCredentialsError(`Could not assume ${role.arn}: ${sentence} (${words})`, { cause });
  if (/MultiFactorAuthentication/i.test(words)) {
    return fail(
      role.mfaSerial
        ? `the MFA code was not accepted: a code works once, so wait for the next one, and check the serial number ${role.mfaSerial}`
        : 'it needs MFA: set AGENTCORE_ASSUME_ROLE_MFA_SERIAL, or mfa_serial in the profile',
    );
  }
  if (/role chaining/i.test(words)) {
    return fail(
      'the session of a chained role lasts one hour at most; set a duration of 3600 or less, or none',
    );
  }
  if (/MaxSessionDuration/.test(words)) {
    return fail(
      `the role does not allow a duration of ${role.duration ?? 3600} s; set a shorter duration, or raise the role's maximum session duration`,
    );
  }
  if (/RegionDisabled/.test(name)) {
    return fail('STS is not active in this region for the account: activate it, or set AWS_REGION');
  }
  if (/^AccessDenied/.test(name)) return createAccessDeniedError(cause, role, whose, words);
  const ofSignature = toSignatureError(cause, 'STS', whose);
  if (ofSignature) return ofSignature;
  if (/Validation/.test(name))
    return fail('STS rejected a parameter; check the settings of the role');
  return fail('STS is unreachable or failed; check the network and try again');
}

/**
 * STS returns the same error for a missing permission and a missing trust. This function uses the
 * message text and the account IDs to find the cause.
 */
function createAccessDeniedError(
  cause: unknown,
  role: RoleStep,
  whose: string,
  words: string,
): AgentCoreError {
  const caller = /User: (arn:\S+)/.exec(words)?.[1];
  const action = /perform: (sts:\w+)/.exec(words)?.[1] ?? 'sts:AssumeRole';
  const isOwnAccount = caller?.split(':')[4] === role.arn.split(':')[4];
  const sides = {
    caller: createCallerStatement(role, action),
    trust: createTrustStatement(role, action, caller),
  };
  const who = caller ?? `the principal ${whose}`;
  const allowCaller = `add this statement to a policy of ${who}: ${serializeStatement(sides.caller)}`;
  const allowTrust = `add this statement to the trust policy of the role: ${serializeStatement(sides.trust)}`;
  const begin = `Could not assume ${role.arn}`;
  const fail = (sentence: string, statements: readonly MissingStatement[]) =>
    createCredentialsError(
      `${begin}: ${sentence}${describeOtherConditions(role, action)} (${words})`,
      {
        cause,
        statements,
      },
    );
  if (/explicit deny/.test(words)) {
    return fail(
      'a policy denies it explicitly, and no Allow overrides this; have the Deny changed',
      [],
    );
  }
  if (/no (identity-based|session|permissions boundary)/i.test(words)) {
    return fail(`the sts:AssumeRole permission is missing; ${allowCaller}`, [sides.caller]);
  }
  if (/no (role trust|resource-based) policy/i.test(words)) {
    return fail(`the trust policy does not allow it; ${allowTrust}`, [sides.trust]);
  }
  if (isOwnAccount) {
    return fail(
      `within an account, a trust policy that names the caller suffices; ${allowTrust} – or, if the trust policy names the whole account, ${allowCaller}`,
      [sides.trust, sides.caller],
    );
  }
  return fail(
    `from another account, both the sts:AssumeRole permission and the trust policy of the role must allow it; ${allowCaller} – and ${allowTrust}`,
    [sides.caller, sides.trust],
  );
}

/** Trust policy conditions that STS does not mention in its error message. */
function describeOtherConditions(role: RoleStep, action: string): string {
  if (action !== 'sts:AssumeRole') return '';
  const external = role.externalId
    ? 'the trust policy may require another external id'
    : 'the trust policy may require an external id (AGENTCORE_ASSUME_ROLE_EXTERNAL_ID, or external_id in the profile)';
  return role.mfaSerial ? `; ${external}` : `; ${external} or MFA`;
}

function createCallerStatement(role: RoleStep, action: string): MissingStatement {
  const actions = getRequiredActions(role, action);
  return { of: 'caller', statement: { Effect: 'Allow', Action: actions, Resource: role.arn } };
}

function createTrustStatement(
  role: RoleStep,
  action: string,
  caller: string | undefined,
): MissingStatement {
  const conditions = {
    // A placeholder, because error messages can end up in logs. The user knows the external ID.
    ...(role.externalId && { StringEquals: { 'sts:ExternalId': 'THE_EXTERNAL_ID' } }),
    ...(role.mfaSerial && { Bool: { 'aws:MultiFactorAuthPresent': 'true' } }),
  };
  const { principal, condition } = toPrincipal(caller);
  const Condition = { ...conditions, ...condition };
  const statement = {
    Effect: 'Allow',
    Principal: { AWS: principal },
    Action: getRequiredActions(role, action),
    ...(Object.keys(Condition).length > 0 && { Condition }),
  };
  return { of: 'trust', statement };
}

function getRequiredActions(role: RoleStep, action: string): string | readonly string[] {
  const needsIdentity = role.sourceIdentity !== undefined || action === 'sts:SetSourceIdentity';
  return needsIdentity ? ['sts:AssumeRole', 'sts:SetSourceIdentity'] : 'sts:AssumeRole';
}

function toPrincipal(caller: string | undefined): TrustedPrincipal {
  if (caller === undefined) return { principal: 'ARN_OF_THE_CALLER' };
  return toTrustedPrincipal(caller) ?? { principal: caller };
}

function serializeStatement({ statement }: MissingStatement): string {
  return JSON.stringify(statement);
}

/** Minimum remaining milliseconds to skip the MFA prompt. The AWS CLI uses the same value. */
const MIN_UNPROMPTED_MS = 15 * 60_000;

/** Minimum remaining milliseconds for cached credentials to be usable. */
const MIN_USABLE_MS = 60_000;

/**
 * Returns the credentials of a role with MFA from the AWS CLI cache, or assumes the role and caches
 * them. An MFA code works once, so all programs of a user share the result. If no code is
 * available, cached credentials are used until shortly before expiry.
 *
 * @param onFile Called with the path of the cache file, which another program may write.
 */
export async function withRoleCache(
  role: RoleStep,
  options: { readonly env: Environment; readonly onFile: (path: string) => void },
  assume: () => Promise<AwsCredentialIdentity>,
): Promise<AwsCredentialIdentity> {
  const path = getRoleCachePath(role, options.env);
  options.onFile(path);
  const cached = await readRole(path);
  if (cached && getRemainingMs(cached) > MIN_UNPROMPTED_MS) return cached;
  let fresh: AwsCredentialIdentity;
  try {
    fresh = await assume();
  } catch (thrown) {
    if (cached && getRemainingMs(cached) > MIN_USABLE_MS) return cached;
    throw thrown;
  }
  // A failed cache write is harmless: the next program prompts for its own code.
  await writeRole(path, fresh).catch(() => undefined);
  return fresh;
}

/** The cache path of the AWS CLI for a role (source: botocore, `AssumeRoleCredentialFetcher`). */
export function getRoleCachePath(role: RoleStep, env: Environment): string {
  const { arn, sessionName, externalId, mfaSerial, duration, sourceIdentity } = role;
  // Sorted by name, like botocore.
  const members = {
    DurationSeconds: duration,
    ExternalId: externalId,
    RoleArn: arn,
    // If a profile sets no session name, each program uses its own. The CLI omits it from the key.
    RoleSessionName: sessionName === PROFILE_SESSION_NAME ? undefined : sessionName,
    SerialNumber: mfaSerial,
    SourceIdentity: sourceIdentity,
  };
  const text = Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${toPythonJson(name)}: ${toPythonJson(value)}`)
    .join(', ');
  const key = createHash('sha1').update(`{${text}}`).digest('hex');
  return join(getHomeDirectory(env), '.aws', 'cli', 'cache', `${key}.json`);
}

/** JSON as Python writes it: ASCII only. */
function toPythonJson(value: string | number | undefined): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Returns `undefined` if the file is missing or has other content. */
async function readRole(path: string): Promise<AwsCredentialIdentity | undefined> {
  try {
    const { Credentials: found } = JSON.parse(await readFile(path, 'utf8'));
    const { AccessKeyId, SecretAccessKey, SessionToken } = found;
    // Old versions of the AWS CLI wrote "UTC" instead of "Z".
    const expiration = new Date(String(found.Expiration).replace(/UTC$/, 'Z'));
    const texts = [AccessKeyId, SecretAccessKey, SessionToken];
    if (!texts.every((text) => typeof text === 'string' && text !== '')) return undefined;
    if (Number.isNaN(expiration.getTime())) return undefined;
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration,
    };
  } catch {
    return undefined;
  }
}

async function writeRole(path: string, identity: AwsCredentialIdentity): Promise<void> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = identity;
  if (!sessionToken || !expiration) return;
  await ensurePrivateDirectory(dirname(path));
  const Credentials = {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration.toISOString().replace(/\.\d{3}Z$/, 'Z'),
  };
  await replaceFile(path, JSON.stringify({ Credentials }));
}

function getRemainingMs({ expiration }: AwsCredentialIdentity): number {
  return (expiration?.getTime() ?? 0) - Date.now();
}
