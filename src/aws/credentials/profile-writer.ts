import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { ensurePrivateDirectory, replaceFile, withFileLock } from '../../base/files.ts';
import type { ConfigFile, ConfigSection } from '../config-parser.ts';
import { describeRegionFault } from '../endpoints.ts';
import {
  describeProfileFault,
  describeSimilarSection,
  describeSsoSessionFault,
  getProfilePaths,
  type ProfileFiles,
  readProfileFiles,
  readSharedFile,
  type SharedFile,
  toProfileFiles,
  toSharedFile,
} from '../shared-config.ts';
import { ACCOUNT_SCOPE, type SsoSession } from '../sso/sso-session.ts';
import { describeProfile } from './profiles.ts';

/** Maximum attempts if another program changes the file at the same time. */
const MAX_ATTEMPTS = 5;

/** An SSO session with its own section. */
type NamedSession = Pick<SsoSession, 'startUrl' | 'region'> & {
  readonly name: string;
  readonly scopes?: readonly string[];
};

/** A profile with credentials from an SSO login. */
export interface SsoProfile {
  readonly name: string;
  readonly session: SsoSession;
  /** Twelve digits. */
  readonly accountId: string;
  readonly roleName: string;
  /** The region for the profile's calls, not that of Identity Center. */
  readonly region?: string | undefined;
}

/** Characters that every SDK accepts without quotes. */
const NAME = /^[\w@+.%:/-]+$/;

const LETTERS = 'letters, digits and any of _ @ + . % : / -';

/** Settings for credentials. Two kinds of them in one profile would conflict. */
const CREDENTIAL_KEYS =
  /^(sso_\w+|role_arn|source_profile|credential_source|credential_process|web_identity_token_file|role_session_name|external_id|mfa_serial|duration_seconds|aws_(access_key_id|secret_access_key|session_token|security_token)|login_session)$/;

/**
 * Writes a profile to the AWS config file, and its SSO session section if it is missing. The result
 * is parsed before it is written. Other sections must keep every byte, and the profile must read
 * back as requested. Otherwise nothing is written. A replaced profile keeps settings unrelated to
 * credentials, such as `output`.
 *
 * @param options.replace True if an existing profile may be changed.
 * @returns the path of the file.
 * @throws {AgentCoreError} `usage` if the profile exists or has invalid values, `config` if the
 * file cannot be read, parsed or written.
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
  await checkProfile(profile, env);
  return changeConfig(`profile "${profile.name}"`, env, signal, {
    change: (files, text) => putProfile(files, text, profile, replace),
    isRight: (files) => isWritten(profile, files),
  });
}

/**
 * Writes an SSO session section to the AWS config file if it is missing. Nothing else changes.
 *
 * @returns the path of the file.
 * @throws {AgentCoreError} like {@link writeProfile}.
 */
export async function writeSsoSession(
  session: SsoSession & { readonly name: string },
  { env, signal }: { readonly env: Environment; readonly signal: AbortSignal },
): Promise<string> {
  checkSession(session, await readProfileFiles(env));
  return changeConfig(`SSO session "${session.name}"`, env, signal, {
    change: (files, text) => {
      checkSession(session, files);
      putSession(files, text, session);
      return [];
    },
    isRight: (files) => isSessionWritten(session, files),
  });
}

interface Change {
  /** @returns the changed sections. */
  readonly change: (files: ProfileFiles, text: ConfigText) => readonly ConfigSection[];
  /** True if the files contain the requested settings. */
  readonly isRight: (files: ProfileFiles) => boolean;
}

async function changeConfig(
  what: string,
  env: Environment,
  signal: AbortSignal,
  { change, isRight }: Change,
): Promise<string> {
  const asked = getProfilePaths(env).config;
  if (!(await realpath(dirname(asked)).catch(() => undefined)))
    await ensurePrivateDirectory(dirname(asked));
  // If the path is a link, write to its target and keep the link.
  const path = await realpath(asked).catch(() => asked);
  await withFileLock(path, signal, async () => {
    for (let attempt = 1; ; attempt++) {
      const before = await readSharedFile(path);
      const files = toProfileFiles(
        toSharedFile(path, before ?? Buffer.alloc(0), 'config'),
        (await readProfileFiles(env)).credentials,
      );
      requireParsed(what, files.config);
      const text = new ConfigText(files.config.text);
      const changed = change(files, text);
      const bytes = Buffer.from(text.toString(), 'latin1');
      const after = toSharedFile(path, bytes, 'config');
      const right = hasSameOtherSections(files.config, changed, after);
      if (!right || !isRight(toProfileFiles(after, files.credentials))) {
        throw new AgentCoreError(
          'config',
          `Could not write ${what}: ${path} would not have the requested content afterwards, so nothing was changed. Look for indented section headers, or for the same profile in ${files.credentials.path}`,
        );
      }
      // A program that ignores the lock may have changed the file.
      const now = await readSharedFile(path);
      const isSame = before ? now?.equals(before) : now === undefined;
      if (isSame) return replaceFile(path, bytes, await stat(path).catch(() => undefined));
      if (attempt === MAX_ATTEMPTS) {
        throw new AgentCoreError(
          'config',
          `Could not write ${what}: another program keeps changing ${path}. Try again`,
        );
      }
    }
  });
  return path;
}

/**
 * @throws {AgentCoreError} `config` if the file has syntax errors, because a change could have
 * unknown effects.
 */
function requireParsed(what: string, { path, text }: SharedFile): void {
  const problem = text.problems.find(({ kind }) => kind === 'error');
  if (problem) {
    throw new AgentCoreError(
      'config',
      `Could not write ${what}: line ${problem.line} of ${path} ${problem.what}. Correct the line; nothing was changed`,
    );
  }
}

/** True if all sections except `changed` have the same bytes in the same order. */
function hasSameOtherSections(
  before: SharedFile,
  changed: readonly ConfigSection[],
  after: SharedFile,
): boolean {
  const toBytes = ({ text }: SharedFile, { start, end }: ConfigSection) =>
    text.lines.slice(start, end).join('').trimEnd();
  const hasNoMistake = after.text.problems.every(({ kind }) => kind !== 'error');
  return (
    hasNoMistake &&
    before.text.sections.every((section, at) => {
      const other = after.text.sections[at];
      if (other?.header !== section.header) return false;
      return changed.includes(section) || toBytes(before, section) === toBytes(after, other);
    })
  );
}

function putProfile(
  files: ProfileFiles,
  text: ConfigText,
  profile: SsoProfile,
  replace: boolean,
): readonly ConfigSection[] {
  const { name, session, region } = profile;
  const { path, profiles } = files.config;
  // The file may have changed since the profile was checked.
  checkSession(session, files);
  const fault = describeProfileFault(name, files);
  if (fault) {
    throw new AgentCoreError(
      'config',
      `Could not write profile "${name}": it ${fault}. Correct the file; nothing was changed`,
    );
  }
  if (session.name !== undefined) putSession(files, text, { ...session, name: session.name });
  const settings = toProfileSettings(profile);
  const [section] = profiles.get(name) ?? [];
  if (!section) {
    const alike = describeSimilarSection('profile', name, files);
    if (alike) throw new AgentCoreError('usage', `Could not write profile "${name}": ${alike}`);
    text.append(name === 'default' ? 'default' : `profile ${name}`, settings);
    return [];
  }
  if (!replace) {
    throw new AgentCoreError(
      'usage',
      `Profile "${name}" is in ${path} already: choose another name, or allow to replace it`,
    );
  }
  text.change(
    section,
    settings,
    (key) => CREDENTIAL_KEYS.test(key) || (key === 'region' && region !== undefined),
  );
  return [section];
}

function putSession(files: ProfileFiles, text: ConfigText, session: NamedSession): void {
  const { name, startUrl, region, scopes = [] } = session;
  if (files.config.ssoSessions.has(name)) return;
  text.append(`sso-session ${name}`, [
    ['sso_start_url', startUrl],
    ['sso_region', region],
    ['sso_registration_scopes', (scopes.length > 0 ? scopes : [ACCOUNT_SCOPE]).join(',')],
  ]);
}

function isWritten(profile: SsoProfile, files: ProfileFiles): boolean {
  const { name, session } = profile;
  const { kind, problem } = describeProfile(name, files);
  const section = files.profiles.get(name) ?? {};
  return (
    problem === undefined &&
    kind === (session.name === undefined ? 'sso-legacy' : 'sso-session') &&
    toProfileSettings(profile).every(([key, value]) => section[key] === value) &&
    (session.name === undefined || isSessionWritten({ ...session, name: session.name }, files))
  );
}

function isSessionWritten({ name, startUrl, region }: NamedSession, files: ProfileFiles): boolean {
  const section = files.ssoSessions.get(name);
  return section?.sso_start_url === startUrl && section.sso_region === region;
}

function toProfileSettings({ session, accountId, roleName, region }: SsoProfile): Setting[] {
  return [
    // Without a session name, the token cache uses the start URL. The profile must do the same.
    ...(session.name !== undefined
      ? [['sso_session', session.name] as const]
      : [['sso_start_url', session.startUrl] as const, ['sso_region', session.region] as const]),
    ['sso_account_id', accountId],
    ['sso_role_name', roleName],
    ...(region !== undefined ? [['region', region] as const] : []),
  ];
}

/**
 * Checks the values of a profile before it is written.
 *
 * @throws {AgentCoreError} `usage` if a value is invalid, `credentials` if the shared files cannot
 * be read.
 */
export async function checkProfile(profile: SsoProfile, env: Environment): Promise<void> {
  const { name, session, accountId, roleName, region } = profile;
  const files = await readProfileFiles(env);
  // An existing profile already has a header.
  if (!files.config.profiles.has(name) && (!NAME.test(name) || name === '__proto__')) {
    throw createValueError('The profile’s name', name, LETTERS);
  }
  if (!/^\d{12}$/.test(accountId))
    throw createValueError('The account', accountId, 'twelve digits');
  if (!/^[\w+=,.@-]{1,64}$/.test(roleName)) {
    throw createValueError('The role', roleName, 'the name of a role, such as AdministratorAccess');
  }
  if (region !== undefined) checkRegion(region);
  checkSession(session, files);
  const { credentials } = files;
  if (credentials.profiles.get(name)?.some(({ settings }) => settings.some(isAccessKey))) {
    throw new AgentCoreError(
      'usage',
      `Profile "${name}" has access keys in ${credentials.path}, which other programs would prefer: choose another name`,
    );
  }
}

function isAccessKey({ key }: { readonly key: string }): boolean {
  return key === 'aws_access_key_id';
}

function checkSession({ name, startUrl, region }: SsoSession, files: ProfileFiles): void {
  const { path, ssoSessions } = files.config;
  checkRegion(region);
  if (!/^https?:\/\/[!-~]+$/.test(startUrl)) {
    throw createValueError('The start URL', startUrl, 'one such as https://NAME.awsapps.com/start');
  }
  if (name === undefined) return;
  if (!ssoSessions.has(name)) {
    if (!NAME.test(name)) throw createValueError('The SSO session’s name', name, LETTERS);
    return;
  }
  const fault = describeSsoSessionFault(name, files);
  if (fault) throw new AgentCoreError('config', `Could not use SSO session "${name}": it ${fault}`);
  if (!isSessionWritten({ name, startUrl, region }, files)) {
    throw new AgentCoreError(
      'usage',
      `[sso-session ${name}] in ${path} has another start URL or region: choose another name for the session`,
    );
  }
}

function checkRegion(region: string): void {
  const fault = describeRegionFault(region);
  if (fault) throw new AgentCoreError('usage', `The region ${fault}`);
}

function createValueError(what: string, value: string, expected: string): AgentCoreError {
  return new AgentCoreError('usage', `${what} is "${value}", expected ${expected}`);
}

/** A setting of a section: a line `key = value`. */
type Setting = readonly [key: string, value: string];

/** Editable text of an AWS config file. Unaffected bytes stay unchanged. */
class ConfigText {
  readonly #file: ConfigFile;
  /** With line endings. */
  readonly #lines: string[];
  readonly #end: string;

  /** @param file The parsed file. Each section may be changed once, and sections may be added. */
  constructor(file: ConfigFile) {
    this.#file = file;
    this.#lines = [...file.lines];
    this.#end = file.lines.some((line) => line.endsWith('\r\n')) ? '\r\n' : '\n';
  }

  toString(): string {
    return this.#lines.join('');
  }

  /**
   * Appends a section after an empty line.
   *
   * @param header Without brackets, such as `profile work`.
   */
  append(header: string, settings: readonly Setting[]): void {
    const last = this.#lines.at(-1);
    if (last !== undefined) {
      this.#lines[this.#lines.length - 1] = this.#withEnd(last);
      if (last.trim() !== '') this.#lines.push(this.#end);
    }
    this.#lines.push(`[${header}]${this.#end}`, ...this.#formatLines(settings, ''));
  }

  /** Adds settings to a section and removes the settings whose keys match `goes`. */
  change(
    { start, settings: known }: ConfigSection,
    settings: readonly Setting[],
    goes: (key: string) => boolean,
  ): void {
    const going = known.filter(({ key }) => goes(key));
    for (const at of going.flatMap(({ lines }) => lines)) this.#lines[at] = '';
    // Use the indentation of the next setting. A deeper line would belong to the value above it.
    const next = known.find(({ key }) => !goes(key)) ?? known[0];
    const indent = next ? /^\s*/.exec(this.#file.lines[next.lines[0] ?? 0] ?? '')?.[0] : '';
    const head = this.#withEnd(this.#lines[start] ?? '');
    this.#lines[start] = [head, ...this.#formatLines(settings, indent ?? '')].join('');
  }

  #formatLines(settings: readonly Setting[], indent: string): string[] {
    return settings.map(([key, value]) => `${indent}${key} = ${value}${this.#end}`);
  }

  #withEnd(line: string): string {
    return /[\r\n]$/.test(line) ? line : line + this.#end;
  }
}
