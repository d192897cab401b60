import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../environment.ts';
import { ensurePrivateDirectory, replaceFile } from '../sso/private-file.ts';
import { PROFILE_SESSION_NAME, type RoleStep } from './credentials-options.ts';
import { getHomeDirectory } from './profile-files.ts';

/** Minimum remaining milliseconds to skip the MFA prompt. The AWS CLI uses the same value. */
const COMFORTABLE = 15 * 60_000;

/** Minimum remaining milliseconds for cached credentials to be usable. */
const USABLE = 60_000;

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
  const kept = await readRole(path);
  if (kept && getRemainingMs(kept) > COMFORTABLE) return kept;
  let fresh: AwsCredentialIdentity;
  try {
    fresh = await assume();
  } catch (thrown) {
    if (kept && getRemainingMs(kept) > USABLE) return kept;
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
