import { readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { loadSharedConfigFiles } from '@smithy/core/config';
import type { Environment } from '../../environment.ts';
import { AgentCoreError, messageOf } from '../../error.ts';
import { profilePaths } from '../credentials/profile-files.ts';
import { ConfigText, type Setting } from './config-text.ts';
import { locked, privateFolder, replaceFile } from './private-file.ts';
import { ACCOUNT_SCOPE, type SsoSession } from './sso-session.ts';

/** A profile that gets its credentials by an SSO login. */
export interface SsoProfile {
  readonly name: string;
  readonly session: SsoSession;
  /** Twelve digits. */
  readonly accountId: string;
  readonly roleName: string;
  /** The region that the profile's calls go to; not the one of Identity Center. */
  readonly region?: string | undefined;
}

/** A character for each byte, whatever the file's encoding: what is written in between is ASCII. */
const BYTES = 'latin1';
/** What every SDK takes without quotes. */
const NAME = /^[\w@+.%:/-]+$/;
const LETTERS = 'letters, digits and any of _ @ + . % : / -';
/** Settings that say whose credentials a profile has; two kinds of them in one profile contradict. */
const CREDENTIAL_KEYS =
  /^(sso_\w+|role_arn|source_profile|credential_source|credential_process|web_identity_token_file|role_session_name|external_id|mfa_serial|duration_seconds|aws_(access_key_id|secret_access_key|session_token)|login_session)$/;

/**
 * Writes a profile into the AWS config file, and the section of its SSO session where there is none.
 * Nothing else of the file changes. A profile that is replaced keeps what has nothing to do with
 * credentials, such as its `output`.
 *
 * @param options.replace Whether a profile of this name may be changed.
 * @returns the path of the file.
 * @throws {AgentCoreError} `usage` where the profile is there already or says what cannot be, `config`
 *   where the file cannot be read or written.
 */
export async function writeProfile(
  profile: SsoProfile,
  options: {
    readonly env: Environment;
    readonly replace?: boolean | undefined;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { env, replace = false, signal } = options;
  checkProfile(profile);
  await refuseContradictions(profile, env);
  return changeConfig(env, signal, (config, path) => withProfile(config, profile, replace, path));
}

/**
 * Writes the section of an SSO session into the AWS config file, unless it is there. Nothing else
 * changes.
 *
 * @returns the path of the file.
 * @throws {AgentCoreError} `usage` where it says what cannot be, or another session has its name;
 *   `config` where the file cannot be read or written.
 */
export async function writeSsoSession(
  session: SsoSession & { readonly name: string },
  { env, signal }: { readonly env: Environment; readonly signal: AbortSignal },
): Promise<string> {
  checkSession(session);
  await refuseOtherSession(session, env);
  return changeConfig(env, signal, (config) => {
    writeSession(config, session, session.name);
    return config.toString();
  });
}

async function changeConfig(
  env: Environment,
  signal: AbortSignal,
  change: (config: ConfigText, path: string) => string,
): Promise<string> {
  const asked = profilePaths(env).config;
  if (!(await realpath(dirname(asked)).catch(() => undefined))) await privateFolder(dirname(asked));
  // Whoever keeps the file elsewhere and links to it goes on doing so.
  const path = await realpath(asked).catch(() => asked);
  await locked(path, signal, async () => {
    const { text, mode } = await readConfig(path);
    await replaceFile(path, Buffer.from(change(new ConfigText(text), path), BYTES), mode);
  });
  return path;
}

function withProfile(
  config: ConfigText,
  profile: SsoProfile,
  replace: boolean,
  path: string,
): string {
  const { name, session, region } = profile;
  if (session.name !== undefined) writeSession(config, session, session.name);
  const settings = settingsOf(profile);
  const header = name === 'default' ? 'default' : `profile ${name}`;
  if (!config.has(header)) {
    config.append(header, settings);
  } else if (replace) {
    config.change(
      header,
      settings,
      (key) => CREDENTIAL_KEYS.test(key) || (key === 'region' && region !== undefined),
    );
  } else {
    throw new AgentCoreError(
      'usage',
      `Profile "${name}" is in ${path} already: choose another name, or allow to replace it`,
    );
  }
  return config.toString();
}

function writeSession(config: ConfigText, session: SsoSession, name: string): void {
  const header = `sso-session ${name}`;
  if (config.has(header)) return;
  config.append(header, [
    ['sso_start_url', session.startUrl],
    ['sso_region', session.region],
    [
      'sso_registration_scopes',
      (session.scopes.length > 0 ? session.scopes : [ACCOUNT_SCOPE]).join(','),
    ],
  ]);
}

function settingsOf({ session, accountId, roleName, region }: SsoProfile): Setting[] {
  return [
    // Without a session's name the login is on file by the start URL, for such profiles.
    ...(session.name !== undefined
      ? [['sso_session', session.name] as const]
      : [['sso_start_url', session.startUrl] as const, ['sso_region', session.region] as const]),
    ['sso_account_id', accountId],
    ['sso_role_name', roleName],
    ...(region !== undefined ? [['region', region] as const] : []),
  ];
}

/** @throws {AgentCoreError} `usage` with what cannot be written down. */
export function checkProfile({ name, session, accountId, roleName, region }: SsoProfile): void {
  if (!NAME.test(name) || name === '__proto__') throw mistake('The profile’s name', name, LETTERS);
  if (!/^\d{12}$/.test(accountId)) throw mistake('The account', accountId, 'twelve digits');
  if (!/^[\w+=,.@-]{1,64}$/.test(roleName)) {
    throw mistake('The role', roleName, 'the name of a role, such as AdministratorAccess');
  }
  if (region !== undefined) checkRegion(region);
  checkSession(session);
}

function checkSession({ name, startUrl, region }: SsoSession): void {
  if (name !== undefined && !NAME.test(name)) {
    throw mistake('The SSO session’s name', name, LETTERS);
  }
  checkRegion(region);
  if (!/^https?:\/\/[!-~]+$/.test(startUrl)) {
    throw mistake('The start URL', startUrl, 'one such as https://NAME.awsapps.com/start');
  }
}

function checkRegion(region: string): void {
  if (!/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/.test(region)) {
    throw mistake('The region', region, 'a region such as us-east-1');
  }
}

function mistake(what: string, value: string, expected: string): AgentCoreError {
  return new AgentCoreError('usage', `${what} is "${value}", expected ${expected}`);
}

/** What other sections say may take the place of what is written. */
async function refuseContradictions(
  { name, session }: SsoProfile,
  env: Environment,
): Promise<void> {
  const { credentials } = profilePaths(env);
  const { credentialsFile } = await readFiles(env);
  if (credentialsFile[name]?.aws_access_key_id) {
    throw new AgentCoreError(
      'usage',
      `Profile "${name}" has access keys in ${credentials}, which would come first: choose another name`,
    );
  }
  await refuseOtherSession(session, env);
}

async function refuseOtherSession(session: SsoSession, env: Environment): Promise<void> {
  const { config } = profilePaths(env);
  const known = (await readFiles(env)).configFile[`sso-session.${session.name}`];
  if (!known) return;
  if (known.sso_start_url !== session.startUrl || known.sso_region !== session.region) {
    throw new AgentCoreError(
      'usage',
      `[sso-session ${session.name}] in ${config} has another start URL or region: choose another name for the session`,
    );
  }
}

function readFiles(env: Environment) {
  const { config, credentials } = profilePaths(env);
  return loadSharedConfigFiles({
    filepath: credentials,
    configFilepath: config,
    ignoreCache: true,
  });
}

async function readConfig(
  path: string,
): Promise<{ readonly text: string; readonly mode: number | undefined }> {
  try {
    return { text: await readFile(path, BYTES), mode: (await stat(path)).mode & 0o777 };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { text: '', mode: undefined };
    throw new AgentCoreError('config', `Could not read ${path}: ${messageOf(cause)}`, { cause });
  }
}
