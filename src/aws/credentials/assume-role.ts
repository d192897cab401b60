import { AssumeRoleCommand, type Credentials as StsCredentials } from '@aws-sdk/client-sts';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../environment.ts';
import { getErrorMessage } from '../../error.ts';
import type { createSdkRequestHandler } from '../sdk-request-handler.ts';
import { createStsClient, type StsEndpoint } from '../sts.ts';
import { assumeRoleFailure } from './assume-role-failure.ts';
import { createCredentialsError, quoteForShell } from './credentials-failure.ts';
import type { RoleStep, Search } from './credentials-options.ts';
import { withRoleCache } from './role-cache.ts';

interface RoleMeans {
  readonly source: AwsCredentialIdentity;
  /** The owner of the credentials, for messages: `of profile "work"`, `of ROLE`. */
  readonly whose: string;
  /** The profile with the role, if any. */
  readonly profile: string | undefined;
  readonly region: string | undefined;
  readonly sts: StsEndpoint;
  readonly requestHandler: ReturnType<typeof createSdkRequestHandler>;
  readonly search: Search;
  readonly env: Environment;
}

/** @throws {AgentCoreError} `credentials`, with the action to take. */
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
    throw assumeRoleFailure(cause, role, whose);
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
      `Assuming ${role.arn} needs a code of the MFA device ${serial}${why}: ${formatMfaCommand(role, serial, means.profile)}`,
      { cause },
    );
  if (!search.prompts) throw needed(', and nobody can be asked for one here');
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
    return `run "aws configure export-credentials --profile ${quoteForShell(profile)} --format env" in a terminal, and start this program with the variables that it prints and without AWS_PROFILE`;
  }
  return `run "aws sts assume-role --role-arn ${role.arn} --role-session-name ${quoteForShell(role.sessionName)} --serial-number ${quoteForShell(serial)} --token-code CODE" in a terminal, and start this program with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN set to what it prints and without AGENTCORE_ASSUME_ROLE_ARN`;
}
