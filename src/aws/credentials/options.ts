import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../base/environment.ts';
import type { Log } from '../../base/logger.ts';
import type { Network } from '../../http/network.ts';
import { normalizeKey } from '../shared-config.ts';
import type { SigningClock } from '../sigv4.ts';
import { createCredentialsError } from './errors.ts';

/**
 * Reads the access key from the environment. Returns `undefined` if there is none.
 *
 * @throws {AgentCoreError} `credentials` if one half is missing or a value cannot be a key.
 * Ignoring the key could sign requests for another account.
 */
export function getEnvironmentCredentials(env: Environment): AwsCredentialIdentity | undefined {
  const clean = (name: string) => normalizeKey(env[name] ?? '', name);
  const accessKeyId = clean('AWS_ACCESS_KEY_ID');
  if (!accessKeyId) return undefined;
  const secretAccessKey = clean('AWS_SECRET_ACCESS_KEY');
  if (!secretAccessKey) {
    throw createCredentialsError(
      'Could not use the AWS credentials of the environment: AWS_ACCESS_KEY_ID is set, so set the other half of the key as well, AWS_SECRET_ACCESS_KEY, or unset it',
    );
  }
  // botocore reads the older name first.
  const sessionToken = clean('AWS_SECURITY_TOKEN') || clean('AWS_SESSION_TOKEN');
  const expiration = new Date(env.AWS_CREDENTIAL_EXPIRATION ?? '');
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    ...(!Number.isNaN(expiration.getTime()) && { expiration }),
    ...(env.AWS_ACCOUNT_ID && { accountId: env.AWS_ACCOUNT_ID }),
  };
}

/** A role to assume with the credentials found. */
export interface AssumeRole {
  readonly arn: string;
  readonly sessionName: string;
  /** Roles to assume before it, each with the credentials of the previous one. */
  readonly chain?: readonly string[] | undefined;
  /** For the last role. AWS does not treat it as a secret, but the journal must not contain it. */
  readonly externalId?: string | undefined;
  /** Lifetime of the last role's credentials, in seconds. */
  readonly duration?: number | undefined;
  /** For the first role: the MFA device of the user. */
  readonly mfaSerial?: string | undefined;
  /** Set with the first role; AWS keeps it through the chain. */
  readonly sourceIdentity?: string | undefined;
}

/** Role session name if the profile does not set one. */
export const PROFILE_SESSION_NAME = 'agentcore-mcp';

/** One role, assumed with other credentials. */
export type RoleStep = Omit<AssumeRole, 'chain'>;

/** The selected profile and role, and the surroundings of a credential search. */
export interface CredentialsOptions {
  readonly profile: string | undefined;
  /** The region for STS calls if neither the environment nor the profile sets one. */
  readonly region: string | undefined;
  readonly assumeRole: AssumeRole | undefined;
  readonly network: Network;
  readonly env: Environment;
  /** Prompts for the user. Absent if no user can answer. */
  readonly prompts?: CredentialPrompts | undefined;
  readonly log?: Log | undefined;
  /** The clock for expiry times. A new one is created by default. */
  readonly clock?: SigningClock | undefined;
  /** Called once, when credentials are found for the first time. */
  readonly onFound?: (() => void) | undefined;
}

/** The inputs and callbacks of one credential search. */
export interface Search {
  /** Absent if the search runs in the background, because it must not prompt then. */
  readonly prompts: CredentialPrompts | undefined;
  readonly signal: AbortSignal;
  /**
   * Called with each file that the search depends on. If one changes, the credentials may change.
   */
  readonly onFile: (path: string) => void;
}

/**
 * Prompts for the user. An implementation must limit the time that a prompt stays open. It must not
 * prompt if no user can answer.
 */
export interface CredentialPrompts {
  /**
   * Asks for the current code of an MFA device.
   *
   * @param serial The device's ARN, or its serial number.
   * @throws an error with the reason if there is no code: no user can answer, or the user declined.
   */
  mfaCode(serial: string, signal: AbortSignal): Promise<string>;
  /**
   * Asks for a new login, and resolves when the login is in progress or done.
   *
   * @param reason The cause, and the command for the login.
   * @returns false if no user can answer or the user declined.
   */
  login?(profile: string, reason: string, signal: AbortSignal): Promise<boolean>;
}
