import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../environment.ts';
import { normalizeKey } from '../value-fault.ts';
import { createCredentialsError } from './credentials-failure.ts';

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
