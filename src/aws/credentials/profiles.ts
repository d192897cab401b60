import { dirname } from 'node:path';
import { Debouncer } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { DirectoryWatcher, getFileFingerprint } from '../../base/files.ts';
import {
  describeProfileFault,
  describeSimilarSection,
  describeSsoSessionFault,
  describeSwallowedKey,
  describeValueFault,
  formatSettingLocation,
  getProfilePaths,
  getSection,
  type ProfileFiles,
  readProfileFiles,
  type Section,
} from '../shared-config.ts';

/** Lists and describes the profiles of the shared files, and watches the files for changes. */

/** Milliseconds between polls of the files, for systems that do not report every change. */
const POLL_INTERVAL_MS = 2_000;

/** Debounce in milliseconds, because programs write in several steps. */
const DEBOUNCE_MS = 100;

/** The source of a profile's credentials. */
export type ProfileKind =
  | 'static'
  | 'sso-session'
  | 'sso-legacy'
  | 'role'
  | 'process'
  | 'web-identity'
  | 'login'
  /** No credential settings. The container or the instance may provide credentials. */
  | 'unknown';

/** A profile without its secrets. */
export interface Profile {
  readonly name: string;
  readonly kind: ProfileKind;
  readonly region?: string | undefined;
  readonly ssoSession?: string | undefined;
  readonly roleArn?: string | undefined;
  readonly sourceProfile?: string | undefined;
  readonly credentialSource?: string | undefined;
  readonly mfaSerial?: string | undefined;
  /** The configuration error, as the end of a sentence: `has no section …`. */
  readonly problem?: string | undefined;
}

/**
 * Returns every profile of both shared files, sorted by name. Throws like {@link readProfileFiles}.
 */
export async function listProfiles(env: Environment): Promise<readonly Profile[]> {
  const files = await readProfileFiles(env);
  return [...files.profiles.keys()].sort().map((name) => describeProfile(name, files));
}

/** Describes an existing profile. */
export function describeProfile(name: string, files: ProfileFiles): Profile {
  const section = files.profiles.get(name) ?? {};
  return {
    name,
    kind: getProfileKind(name, files),
    region: section.region,
    ssoSession: section.sso_session,
    roleArn: section.role_arn,
    sourceProfile: section.source_profile,
    credentialSource: section.credential_source,
    mfaSerial: section.mfa_serial,
    problem: describeProblem(name, files),
  };
}

/**
 * Returns the credential source of a profile, in the order of botocore's credential providers.
 *
 * @param isSource True if another profile's role is assumed with it. Then its keys take precedence
 * over its own role.
 */
export function getProfileKind(name: string, files: ProfileFiles, isSource = false): ProfileKind {
  const section = files.profiles.get(name) ?? {};
  const has = (key: string) => section[key] !== undefined;
  const hasAnyKey = has('aws_access_key_id') || has('aws_secret_access_key');
  if (has('role_arn') && !has('web_identity_token_file') && !(isSource && hasAnyKey)) return 'role';
  if (section.web_identity_token_file) return 'web-identity';
  if (SSO_FIELDS.some(has)) return has('sso_session') ? 'sso-session' : 'sso-legacy';
  const inCredentials = getSection(files.credentials, files.credentials.profiles, name);
  if (inCredentials?.aws_access_key_id !== undefined) return 'static';
  if (has('login_session')) return 'login';
  if (has('credential_process')) return 'process';
  if (has('aws_access_key_id')) return 'static';
  if (has('sso_session')) return 'sso-session';
  return has('sso_start_url') ? 'sso-legacy' : 'unknown';
}

/** Returns the section with a profile's keys. Both halves of a key come from the same file. */
export function getKeySection(name: string, { config, credentials }: ProfileFiles): Section {
  const inCredentials = getSection(credentials, credentials.profiles, name) ?? {};
  if (inCredentials.aws_access_key_id !== undefined) return inCredentials;
  return getSection(config, config.profiles, name) ?? {};
}

const KEYS = ['aws_access_key_id', 'aws_secret_access_key'];

const SSO_FIELDS = ['sso_account_id', 'sso_role_name'];

const SSO_PLACE = ['sso_start_url', 'sso_region'];

const SOURCES = ['Environment', 'EcsContainer', 'Ec2InstanceMetadata'];

/** Settings whose values have neither quotes nor spaces, by profile kind. */
const PLAIN_SETTINGS: Readonly<Record<ProfileKind, readonly string[]>> = {
  static: [...KEYS, 'aws_session_token', 'aws_security_token'],
  'sso-session': [...SSO_FIELDS, 'sso_session'],
  'sso-legacy': [...SSO_FIELDS, ...SSO_PLACE],
  role: ['role_arn', 'role_session_name', 'external_id', 'mfa_serial', 'source_profile'],
  process: [],
  'web-identity': ['role_arn', 'role_session_name', 'web_identity_token_file'],
  login: ['login_session'],
  unknown: [],
};

function describeProblem(name: string, files: ProfileFiles, isSource = false): string | undefined {
  const fault = describeProfileFault(name, files);
  if (fault) return fault;
  const section = files.profiles.get(name) ?? {};
  const lacks = (keys: readonly string[], of = section) =>
    describeMissingKeys(keys, of, name, files);
  const kind = getProfileKind(name, files, isSource);
  switch (kind) {
    case 'static':
      return lacks(KEYS, getKeySection(name, files)) ?? describeInvalidValue(kind, name, files);
    case 'sso-session':
      return (
        describeSsoProblem(section, files) ??
        lacks(SSO_FIELDS) ??
        describeInvalidValue(kind, name, files)
      );
    case 'sso-legacy':
      return lacks([...SSO_PLACE, ...SSO_FIELDS]) ?? describeInvalidValue(kind, name, files);
    case 'role':
      return describeRoleProblem(name, section, files) ?? describeInvalidValue(kind, name, files);
    case 'web-identity':
      return lacks(['role_arn']) ?? describeInvalidValue(kind, name, files);
    case 'unknown':
      if (section.aws_secret_access_key !== undefined) return lacks(KEYS);
      return section.source_profile
        ? 'has source_profile, but no role_arn'
        : describeMissingKind(name, files);
    default:
      return describeInvalidValue(kind, name, files);
  }
}

/**
 * Explains a profile without credential settings if one of its lines was parsed as part of another
 * value.
 */
function describeMissingKind(name: string, files: ProfileFiles): string | undefined {
  for (const key of Object.values(PLAIN_SETTINGS).flat()) {
    const found = describeSwallowedKey(name, key, files);
    if (found) return `lacks ${key}: ${found}`;
  }
  return undefined;
}

/**
 * Returns the syntax error in a value that this kind needs. An existing section name is always
 * valid.
 */
function describeInvalidValue(
  kind: ProfileKind,
  name: string,
  files: ProfileFiles,
): string | undefined {
  const section = files.profiles.get(name) ?? {};
  for (const key of PLAIN_SETTINGS[kind]) {
    const value = section[key];
    const isName =
      (key === 'source_profile' && files.profiles.has(value ?? '')) ||
      (key === 'sso_session' && files.ssoSessions.has(value ?? ''));
    const fault = value === undefined || isName ? undefined : describeValueFault(value);
    if (fault) return `has a ${key} that ${fault} (${formatSettingLocation(name, key, files)})`;
  }
  return undefined;
}

function describeSsoProblem(section: Section, files: ProfileFiles): string | undefined {
  const name = section.sso_session as string;
  const session = files.ssoSessions.get(name);
  if (!session) {
    const alike = describeSimilarSection('sso-session', name, files);
    const fault = describeValueFault(name);
    if (fault) return `has an sso_session that ${fault}`;
    return `names the SSO session "${name}", which has no section [sso-session ${name}]${alike ? `; ${alike}` : ''}`;
  }
  const fault = describeSsoSessionFault(name, files);
  if (fault) return `names the SSO session "${name}", which ${fault}`;
  const absent = SSO_PLACE.filter((key) => !session[key]);
  if (absent.length > 0) return `lacks ${absent.join(' and ')} in [sso-session ${name}]`;
  for (const [key, value] of Object.entries(session)) {
    if (value === undefined) continue;
    if (section[key] !== undefined && section[key] !== value) {
      return `has another ${key} than [sso-session ${name}], which it names: remove one of them`;
    }
    const wrong = SSO_PLACE.includes(key) ? describeValueFault(value) : undefined;
    if (wrong) return `names the SSO session "${name}", whose ${key} ${wrong}`;
  }
  return undefined;
}

function describeRoleProblem(
  name: string,
  section: Section,
  files: ProfileFiles,
): string | undefined {
  const { source_profile: source, credential_source: credentialSource } = section;
  if (source && credentialSource) return 'has source_profile and credential_source: keep one';
  if (credentialSource) {
    return SOURCES.includes(credentialSource)
      ? undefined
      : `has the credential_source "${credentialSource}", expected one of ${SOURCES.join(', ')}`;
  }
  if (!source) return 'has role_arn, but neither source_profile nor credential_source';
  if (!files.profiles.has(source)) {
    const fault = describeValueFault(source);
    if (fault)
      return `has a source_profile that ${fault} (${formatSettingLocation(name, 'source_profile', files)})`;
    const alike = describeSimilarSection('profile', source, files);
    return `names the source profile "${source}", which ${alike ? `was not understood: ${alike}` : 'is not there'}`;
  }
  const circle = findCircularChain(name, files);
  if (circle) return `is its own source: ${circle.join(' → ')}`;
  const problem = describeProblem(source, files, true);
  return problem && `has the source profile "${source}", which ${problem}`;
}

/** Returns the profiles of a circular source chain. */
function findCircularChain(name: string, files: ProfileFiles): readonly string[] | undefined {
  const path = [name];
  for (let at = name; ; ) {
    if (getProfileKind(at, files, path.length > 1) !== 'role') return undefined;
    const source = files.profiles.get(at)?.source_profile;
    if (!source) return undefined;
    at = source;
    if (path.includes(at) && getProfileKind(at, files, true) === 'role') return [...path, at];
    path.push(at);
  }
}

function describeMissingKeys(
  keys: readonly string[],
  section: Section,
  name: string,
  files: ProfileFiles,
): string | undefined {
  const absent = keys.filter((key) => !section[key]);
  if (absent.length === 0) return undefined;
  const empty = absent.find((key) => section[key] === '');
  if (empty) return `has no value for ${empty} (${formatSettingLocation(name, empty, files)})`;
  const swallowed = absent.map((key) => describeSwallowedKey(name, key, files)).find(Boolean);
  return `lacks ${absent.join(' and ')}${swallowed ? `: ${swallowed}` : ''}`;
}

/** Sorts the names by similarity to `wanted`. */
export function sortBySimilarity(wanted: string, names: Iterable<string>): readonly string[] {
  return [...names]
    .map((name) => ({ name, far: computeEditDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far || a.name.localeCompare(b.name))
    .map(({ name }) => name);
}

/** Levenshtein distance. */
function computeEditDistance(a: string, b: string): number {
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
 * Calls `onChange` after either shared file is changed, created or deleted, until the signal
 * aborts. It does not keep the process alive.
 */
export function watchProfiles(env: Environment, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const paths = Object.values(getProfilePaths(env)) as string[];
  let seen = getFileFingerprint(paths);
  const debouncer = new Debouncer(onChange, DEBOUNCE_MS);
  const check = () => {
    const fingerprint = getFileFingerprint(paths);
    if (fingerprint === seen) return;
    seen = fingerprint;
    debouncer.restart();
  };
  const folders = new Set(paths.map((path) => dirname(path)));
  const watchers = [...folders].map((folder) => new DirectoryWatcher(folder, check));
  for (const watcher of watchers) watcher.start();
  const poll = setInterval(() => {
    for (const watcher of watchers) watcher.start();
    check();
  }, POLL_INTERVAL_MS).unref();
  const end = () => {
    clearInterval(poll);
    debouncer.dispose();
    for (const watcher of watchers) watcher.close();
  };
  signal.addEventListener('abort', end, { once: true });
}
