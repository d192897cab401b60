import type { AwsCredentialIdentity } from '@smithy/types';
import { requireConfirmed } from '../../confirmed-commands.ts';
import type { Environment } from '../../environment.ts';
import { runCommand } from '../command-output.ts';
import { normalizeKey } from '../value-fault.ts';
import { createCredentialsError } from './credentials-failure.ts';

interface ProcessOptions {
  readonly profile: string;
  readonly command: string;
  /** The profile's account ID, used if the process does not return one. */
  readonly accountId: string | undefined;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Timeout in milliseconds. */
  readonly within?: number;
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
    throw fail('did not write JSON: run it in a terminal to see what it writes');
  }
  const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration, AccountId } =
    answer ?? {};
  if (Version !== 1) throw fail('did not write "Version": 1, the only one there is');
  if (typeof AccessKeyId !== 'string' || typeof SecretAccessKey !== 'string') {
    throw fail('did not write AccessKeyId and SecretAccessKey');
  }
  const expiration = Expiration ? new Date(String(Expiration)) : undefined;
  if (expiration && !(expiration.getTime() > now)) {
    throw fail(
      Number.isNaN(expiration.getTime())
        ? 'wrote an Expiration that is no time of ISO 8601'
        : `wrote credentials that expired at ${expiration.toISOString()}: sign in where it gets them from`,
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
