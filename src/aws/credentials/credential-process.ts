import type { AwsCredentialIdentity } from '@smithy/types';
import { requireConfirmed } from '../../confirmed-commands.ts';
import type { Environment } from '../../environment.ts';
import { commandOutput } from '../command-output.ts';
import { cleanKey } from '../value-fault.ts';
import { credentialsFailure } from './credentials-failure.ts';

export interface ProcessOptions {
  readonly profile: string;
  readonly command: string;
  /** What the profile says of its account, for a process that does not. */
  readonly accountId: string | undefined;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly within?: number;
  /** The time that an expiration is compared with; the system's where it is absent. */
  readonly now?: number | undefined;
}

/**
 * Runs a profile's `credential_process` in a shell, as the AWS SDKs do, but with stdin closed: the
 * SDK for JavaScript leaves it open, and a process that reads it would wait for ever. What it
 * writes to stdout is never repeated.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function processCredentials(options: ProcessOptions): Promise<AwsCredentialIdentity> {
  const { profile, env, accountId, now = Date.now() } = options;
  // An indented line goes on with the command.
  const command = options.command.replace(/\s*\n\s*/g, ' ');
  requireConfirmed(
    { kind: 'credential_process', text: command },
    env,
    `Could not get the credentials of profile "${profile}": its credential_process comes from the workspace and is not confirmed. Review the command in VS Code.`,
  );
  const fail = (what: string) =>
    credentialsFailure(`The credential_process of profile "${profile}" ${what}`);
  const text = await commandOutput({ ...options, command }, fail);
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
    cleanKey(value, `the ${name} of the credential_process of profile "${profile}"`);
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
