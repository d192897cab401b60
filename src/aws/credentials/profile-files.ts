import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { loadSharedConfigFiles } from '@smithy/core/config';
import type { Environment } from '../../environment.ts';
import { AgentCoreError, messageOf } from '../../error.ts';

/** The settings of one section, as they are written. */
export type Section = Readonly<Record<string, string | undefined>>;

/** What the shared files say, as of now. */
export interface ProfileFiles {
  /** A key of the credentials file wins over that of the config file, as in every AWS SDK. */
  readonly profiles: ReadonlyMap<string, Section>;
  readonly ssoSessions: ReadonlyMap<string, Section>;
}

export interface ProfilePaths {
  readonly config: string;
  readonly credentials: string;
}

/** The user's home, by the rules of the AWS SDKs. */
export function homeOf(env: Environment): string {
  return env.HOME || env.USERPROFILE || homedir();
}

/** Where the shared files are: `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws`. */
export function profilePaths(env: Environment): ProfilePaths {
  const home = homeOf(env);
  const full = (path: string) => (path.startsWith('~/') ? join(home, path.slice(2)) : path);
  return {
    config: full(env.AWS_CONFIG_FILE || join(home, '.aws', 'config')),
    credentials: full(env.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws', 'credentials')),
  };
}

/**
 * Reads the shared files anew, by the SDK's own parser. A file that is not there is an empty one.
 *
 * @throws {AgentCoreError} `credentials` where one is there and cannot be read.
 */
export async function readProfileFiles(env: Environment): Promise<ProfileFiles> {
  const { config, credentials } = profilePaths(env);
  // The SDK takes a file that it cannot read for an empty one.
  await Promise.all([requireReadable(config), requireReadable(credentials)]);
  const { configFile, credentialsFile } = await loadSharedConfigFiles({
    configFilepath: config,
    filepath: credentials,
    ignoreCache: true,
  });
  const profiles = new Map<string, Section>();
  const ssoSessions = new Map<string, Section>();
  for (const [name, section] of Object.entries(configFile)) {
    if (name.startsWith('sso-session.'))
      ssoSessions.set(name.slice('sso-session.'.length), section);
    else if (!name.startsWith('services.')) profiles.set(name, section);
  }
  for (const [name, section] of Object.entries(credentialsFile)) {
    profiles.set(name, { ...profiles.get(name), ...section });
  }
  return { profiles, ssoSessions };
}

async function requireReadable(path: string): Promise<void> {
  try {
    await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return;
    throw new AgentCoreError(
      'credentials',
      `Could not read the AWS profiles: make ${path} a file that you may read (${messageOf(cause)})`,
      { cause },
    );
  }
}
