import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Environment } from '../../environment.ts';
import { stampOf } from '../file-stamp.ts';
import {
  type ProfileFiles,
  profilePaths,
  readProfileFiles,
  type Section,
} from './profile-files.ts';

/** Milliseconds between two looks at the files, for systems that do not report every change. */
const POLL_EVERY = 2_000;
/** Milliseconds without a further change after which a change is over: programs write in steps. */
const SETTLED_AFTER = 100;

/** How a profile comes by its credentials. */
export type ProfileKind =
  | 'static'
  | 'sso-session'
  | 'sso-legacy'
  | 'role'
  | 'process'
  | 'web-identity'
  | 'login'
  /** It says nothing about credentials: they come from the container or the instance, if at all. */
  | 'unknown';

/** A profile as the user wrote it, without any secret. */
export interface Profile {
  readonly name: string;
  readonly kind: ProfileKind;
  readonly region?: string | undefined;
  readonly ssoSession?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly sourceProfile?: string | undefined;
  readonly credentialSource?: string | undefined;
  readonly mfaSerial?: string | undefined;
  /** Why it cannot work as it is written, as a sentence's end: `has no section …`. */
  readonly problem?: string | undefined;
}

/** Every profile of both shared files, by name. Throws as {@link readProfileFiles} does. */
export async function listProfiles(env: Environment): Promise<readonly Profile[]> {
  const files = await readProfileFiles(env);
  return [...files.profiles.keys()].sort().map((name) => describeProfile(name, files));
}

/** One profile that is there. */
export function describeProfile(name: string, files: ProfileFiles): Profile {
  const section = files.profiles.get(name) ?? {};
  return {
    name,
    kind: kindOf(section),
    region: section.region,
    ssoSession: section.sso_session,
    roleArn: section.role_arn,
    sourceProfile: section.source_profile,
    credentialSource: section.credential_source,
    mfaSerial: section.mfa_serial,
    problem: problemOf(name, section, files),
  };
}

/** Which of its settings count, in the order of the SDKs. */
export function kindOf(section: Section): ProfileKind {
  if (section.role_arn && (section.source_profile || section.credential_source)) return 'role';
  if (hasKeys(section)) return 'static';
  if (section.web_identity_token_file && section.role_arn) return 'web-identity';
  if (section.credential_process) return 'process';
  if (section.sso_session) return 'sso-session';
  if (section.sso_start_url || section.sso_account_id || section.sso_role_name) return 'sso-legacy';
  if (section.login_session) return 'login';
  return section.role_arn ? 'role' : 'unknown';
}

export function hasKeys(section: Section): boolean {
  return Boolean(section.aws_access_key_id && section.aws_secret_access_key);
}

const SSO_FIELDS = ['sso_account_id', 'sso_role_name'];
const SSO_PLACE = ['sso_start_url', 'sso_region'];
const SOURCES = ['Environment', 'EcsContainer', 'Ec2InstanceMetadata'];

function problemOf(name: string, section: Section, files: ProfileFiles): string | undefined {
  switch (kindOf(section)) {
    case 'sso-session': {
      const session = files.ssoSessions.get(section.sso_session as string);
      if (!session) {
        return `names the SSO session "${section.sso_session}", which has no section [sso-session ${section.sso_session}]`;
      }
      return (
        missing(SSO_PLACE, session, ` in [sso-session ${section.sso_session}]`) ??
        missing(SSO_FIELDS, section)
      );
    }
    case 'sso-legacy':
      return missing([...SSO_PLACE, ...SSO_FIELDS], section);
    case 'role':
      return roleProblem(name, section, files);
    case 'unknown':
      if (!section.aws_access_key_id !== !section.aws_secret_access_key) {
        return missing(['aws_access_key_id', 'aws_secret_access_key'], section);
      }
      return section.source_profile ? 'has source_profile, but no role_arn' : undefined;
    default:
      return undefined;
  }
}

function roleProblem(name: string, section: Section, files: ProfileFiles): string | undefined {
  const { source_profile: source, credential_source: credentialSource } = section;
  if (source && credentialSource) return 'has source_profile and credential_source: keep one';
  if (credentialSource) {
    return SOURCES.includes(credentialSource)
      ? undefined
      : `has the credential_source "${credentialSource}", expected one of ${SOURCES.join(', ')}`;
  }
  if (!source) return 'has role_arn, but neither source_profile nor credential_source';
  if (!files.profiles.has(source))
    return `names the source profile "${source}", which is not there`;
  const circle = circleFrom(name, files);
  if (circle) return `is its own source: ${circle.join(' → ')}`;
  const problem =
    source === name ? undefined : problemOf(source, files.profiles.get(source) ?? {}, files);
  return problem && `has the source profile "${source}", which ${problem}`;
}

/** The profiles of a chain that leads back into itself. */
function circleFrom(name: string, files: ProfileFiles): readonly string[] | undefined {
  const path = [name];
  for (let at = name; ; ) {
    const section = files.profiles.get(at) ?? {};
    // A profile may be its own source where it has keys as well; as a source they come first.
    if (kindOf(section) !== 'role' || (path.length > 1 && hasKeys(section))) return undefined;
    if (!section.source_profile) return undefined;
    at = section.source_profile;
    if (path.includes(at) && !hasKeys(files.profiles.get(at) ?? {})) return [...path, at];
    path.push(at);
  }
}

function missing(keys: readonly string[], section: Section, where = ''): string | undefined {
  const absent = keys.filter((key) => !section[key]);
  return absent.length > 0 ? `lacks ${absent.join(' and ')}${where}` : undefined;
}

/** The names, the most similar to `wanted` first. */
export function nearestFirst(wanted: string, names: Iterable<string>): readonly string[] {
  return [...names]
    .map((name) => ({ name, far: distance(wanted.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name))
    .map(({ name }) => name);
}

/** How many characters must be put in, taken out or changed (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [i, char] of [...a].entries()) {
    let left = i + 1;
    row = row.map((above, j) => {
      if (j === 0) return left;
      const diagonal = (row[j - 1] as number) + (char === b[j - 1] ? 0 : 1);
      left = Math.min(left + 1, above + 1, diagonal);
      return left;
    });
  }
  return row[b.length] as number;
}

/**
 * Calls `onChange` after either shared file has changed, appeared or gone, until the signal aborts.
 * It does not keep the process alive.
 */
export function watchProfiles(env: Environment, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const paths = Object.values(profilePaths(env)) as string[];
  const watchers = new Map<string, FSWatcher>();
  let seen = stampOf(paths);
  let settling: NodeJS.Timeout | undefined;

  const look = () => {
    const stamp = stampOf(paths);
    if (stamp === seen) return;
    seen = stamp;
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLED_AFTER).unref();
  };
  const watchFolders = () => {
    for (const folder of new Set(paths.map((path) => dirname(path)))) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, look);
        const forget = () => {
          watcher.close();
          watchers.delete(folder);
        };
        watchers.set(folder, watcher.on('error', forget));
      } catch {
        // The folder is not there yet, or cannot be watched: the next poll tries again.
      }
    }
  };
  watchFolders();
  const poll = setInterval(() => {
    watchFolders();
    look();
  }, POLL_EVERY).unref();
  const end = () => {
    clearInterval(poll);
    clearTimeout(settling);
    for (const watcher of watchers.values()) watcher.close();
  };
  signal.addEventListener('abort', end, { once: true });
}
