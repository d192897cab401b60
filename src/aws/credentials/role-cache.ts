import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AwsCredentialIdentity } from '@smithy/types';
import type { Environment } from '../../environment.ts';
import { privateFolder, replaceFile } from '../sso/private-file.ts';
import { PROFILE_SESSION_NAME, type RoleStep } from './credentials-options.ts';
import { homeOf } from './profile-files.ts';

/** Milliseconds that must be left for nobody to be asked for a code; the AWS CLI has the same. */
const COMFORTABLE = 15 * 60_000;
/** Milliseconds that must be left for them to be of any use. */
const USABLE = 60_000;

/**
 * A role that takes an MFA code, from the cache of the AWS CLI, or assumed and put there: a code
 * works once, so that all programs of a user share what they got for it. What is left in the cache
 * has to do where no code can be had.
 *
 * @param onFile Told of the cache's file: another program may write it.
 */
export async function throughRoleCache(
  role: RoleStep,
  options: { readonly env: Environment; readonly onFile: (path: string) => void },
  assume: () => Promise<AwsCredentialIdentity>,
): Promise<AwsCredentialIdentity> {
  const path = roleCacheFile(role, options.env);
  options.onFile(path);
  const kept = await readRole(path);
  if (kept && timeLeft(kept) > COMFORTABLE) return kept;
  let fresh: AwsCredentialIdentity;
  try {
    fresh = await assume();
  } catch (thrown) {
    if (kept && timeLeft(kept) > USABLE) return kept;
    throw thrown;
  }
  // Without a cache the next program asks for a code of its own, and nothing is wrong with this one.
  await writeRole(path, fresh).catch(() => undefined);
  return fresh;
}

/** Where the AWS CLI looks for the role (source: botocore, `AssumeRoleCredentialFetcher`). */
export function roleCacheFile(role: RoleStep, env: Environment): string {
  const { arn, sessionName, externalId, mfaSerial, duration, sourceIdentity } = role;
  // By name, as botocore sorts them.
  const members = {
    DurationSeconds: duration,
    ExternalId: externalId,
    RoleArn: arn,
    // Where a profile names none, each program has its own, and the CLI leaves it out here.
    RoleSessionName: sessionName === PROFILE_SESSION_NAME ? undefined : sessionName,
    SerialNumber: mfaSerial,
    SourceIdentity: sourceIdentity,
  };
  const text = Object.entries(members)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${pythonJson(name)}: ${pythonJson(value)}`)
    .join(', ');
  const key = createHash('sha1').update(`{${text}}`).digest('hex');
  return join(homeOf(env), '.aws', 'cli', 'cache', `${key}.json`);
}

/** As Python writes a text or a number: nothing but ASCII. */
function pythonJson(value: string | number | undefined): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Nothing where there is no file, or one that says something else. */
async function readRole(path: string): Promise<AwsCredentialIdentity | undefined> {
  try {
    const { Credentials: found } = JSON.parse(await readFile(path, 'utf8'));
    const { AccessKeyId, SecretAccessKey, SessionToken } = found;
    // Old versions of the AWS CLI wrote "UTC" for "Z".
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
  await privateFolder(dirname(path));
  const Credentials = {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration.toISOString().replace(/\.\d{3}Z$/, 'Z'),
  };
  await replaceFile(path, JSON.stringify({ Credentials }));
}

function timeLeft({ expiration }: AwsCredentialIdentity): number {
  return (expiration?.getTime() ?? 0) - Date.now();
}
