import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import {
  type ConfigFile,
  type ConfigSection,
  type ConfigSetting,
  parseConfig,
  sanitizeQuote,
  splitArguments,
} from './config-parser.ts';

/**
 * Reads the shared AWS files and finds profiles, SSO sessions and services in them. Explains
 * settings that are invalid, misplaced or misspelled.
 */

/** The raw settings of a section. */
export type Section = Readonly<Record<string, string | undefined>>;

/** A shared file with its sections grouped by type. */
export interface SharedFile {
  readonly path: string;
  readonly text: ConfigFile;
  /** By name. More than one section with a name is an error. */
  readonly profiles: SectionMap;
  readonly ssoSessions: SectionMap;
  readonly services: SectionMap;
  /** Sections with one of these prefixes but no valid name. */
  readonly unnamed: readonly ConfigSection[];
}

type SectionMap = ReadonlyMap<string, readonly ConfigSection[]>;

/** The current content of the shared files, parsed like botocore. */
export interface ProfileFiles {
  /** A key in the credentials file overrides the config file, as in every AWS SDK. */
  readonly profiles: ReadonlyMap<string, Section>;
  readonly ssoSessions: ReadonlyMap<string, Section>;
  readonly config: SharedFile;
  readonly credentials: SharedFile;
}

interface ProfilePaths {
  readonly config: string;
  readonly credentials: string;
}

/** Maximum size of a file. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

/** Maximum problems in a message. */
const MAX_PROBLEMS = 3;

/** The user's home directory, by the rules of the AWS SDKs. */
export function getHomeDirectory(env: Environment): string {
  return env.HOME || env.USERPROFILE || homedir();
}

/**
 * The paths of the shared files: `AWS_CONFIG_FILE`, `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws`.
 */
export function getProfilePaths(env: Environment): ProfilePaths {
  const home = getHomeDirectory(env);
  return {
    config: expandPath(env.AWS_CONFIG_FILE || join(home, '.aws', 'config'), env),
    credentials: expandPath(
      env.AWS_SHARED_CREDENTIALS_FILE || join(home, '.aws', 'credentials'),
      env,
    ),
  };
}

/** Expands `~` and variables like botocore. An unset variable stays unchanged. */
export function expandPath(path: string, env: Environment): string {
  const full = path
    .replace(/\$(\w+)|\$\{(\w+)\}/g, (text, plain, braced) => env[plain ?? braced] ?? text)
    .replace(process.platform === 'win32' ? /%(\w+)%/g : /$^/, (text, name) => env[name] ?? text);
  return /^~($|[/\\])/.test(full) ? join(getHomeDirectory(env), full.slice(1)) : full;
}

/**
 * Reads the shared files. A missing file counts as empty.
 *
 * @throws {AgentCoreError} `credentials` if a file exists but cannot be read.
 */
export async function readProfileFiles(env: Environment): Promise<ProfileFiles> {
  const paths = getProfilePaths(env);
  const [config, credentials] = await Promise.all([
    readSharedFile(paths.config),
    readSharedFile(paths.credentials),
  ]);
  return toProfileFiles(
    toSharedFile(paths.config, config ?? Buffer.alloc(0), 'config'),
    toSharedFile(paths.credentials, credentials ?? Buffer.alloc(0), 'credentials'),
  );
}

/**
 * Reads the bytes of a shared file.
 *
 * @returns `undefined` if the file does not exist.
 * @throws {AgentCoreError} `credentials` if the file exists but cannot be read.
 */
export async function readSharedFile(path: string): Promise<Buffer | undefined> {
  try {
    // Non-blocking, because opening a FIFO without a writer would hang.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const status = await file.stat();
      if (!status.isFile()) throw new Error('it is not a regular file');
      if (status.size > MAX_FILE_BYTES) throw new Error('it is larger than 10 MB');
      const bytes = await file.readFile();
      const kind = detectUnreadableKind(bytes);
      if (kind) throw new Error(`it is ${kind}`);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new AgentCoreError(
      'credentials',
      `Could not read the AWS profiles: make ${path} a file of plain text in UTF-8 that you may read (${getErrorMessage(cause)})`,
      { cause },
    );
  }
}

/** Returns the kind of content if it is not UTF-8 text and the kind is recognizable. */
function detectUnreadableKind(bytes: Buffer): string | undefined {
  const start = bytes.toString('latin1', 0, 512);
  const zeros = [...start].filter((char) => char === '\0').length;
  if (/^(\xff\xfe|\xfe\xff)/.test(start)) return 'UTF-16';
  if (/^(\0GITCRYPT|\$ANSIBLE_VAULT|-----BEGIN (PGP|AGE)|age-encryption|Salted__)/.test(start)) {
    return 'encrypted';
  }
  // In UTF-16 without a byte order mark, every other byte of ASCII text is zero.
  if (zeros * 3 > start.length && /^(.\0.\0|\0.\0.)/s.test(start)) return 'UTF-16';
  if (bytes.includes(0)) return 'binary or encrypted';
  return undefined;
}

/** Groups a file's sections by type, like botocore for this kind of file. */
export function toSharedFile(
  path: string,
  bytes: Buffer,
  kind: 'config' | 'credentials',
): SharedFile {
  const text = parseConfig(bytes);
  const maps = {
    profile: new Map<string, ConfigSection[]>(),
    'sso-session': new Map<string, ConfigSection[]>(),
    services: new Map<string, ConfigSection[]>(),
  };
  const unnamed: ConfigSection[] = [];
  for (const section of text.sections) {
    const { header, isUnderstood } = section;
    const add = (map: Map<string, ConfigSection[]>, name: string) =>
      map.set(name, [...(map.get(name) ?? []), section]);
    if (!isUnderstood) continue;
    const prefix = (['profile', 'sso-session', 'services'] as const).find((one) =>
      header.startsWith(one),
    );
    if (kind === 'credentials' || header === 'default') {
      add(maps.profile, header);
    } else if (prefix) {
      const [, name, ...more] = splitArguments(header) ?? [];
      if (name !== undefined && more.length === 0) add(maps[prefix], name);
      else unnamed.push(section);
    }
  }
  return {
    path,
    text,
    profiles: maps.profile,
    ssoSessions: maps['sso-session'],
    services: maps.services,
    unnamed,
  };
}

/** Merges the two files. For each key of a profile, the credentials file takes precedence. */
export function toProfileFiles(config: SharedFile, credentials: SharedFile): ProfileFiles {
  const profiles = new Map<string, Section>();
  for (const file of [config, credentials]) {
    for (const name of file.profiles.keys()) {
      const section = getSection(file, file.profiles, name);
      profiles.set(name, Object.assign(Object.create(null), profiles.get(name), section));
    }
  }
  const ssoSessions = new Map(
    [...config.ssoSessions.keys()].map((name) => [
      name,
      getSection(config, config.ssoSessions, name) ?? {},
    ]),
  );
  return { profiles, ssoSessions, config, credentials };
}

/** The settings of a section, with the defaults of its file. */
export function getSection(
  { text }: SharedFile,
  sections: SectionMap,
  name: string,
): Section | undefined {
  const section = sections.get(name)?.at(-1);
  if (!section) return undefined;
  const values: Record<string, string> = Object.create(null);
  for (const { key, value } of [...section.settings, ...text.defaults]) values[key] ??= value;
  return values;
}

/** The settings of a service in a `[services]` section, such as those under `sts =`. */
export function getServicesBlock(files: ProfileFiles, name: string, service: string): Section {
  const [section] = files.config.services.get(name) ?? [];
  return section?.settings.find(({ key }) => key === service)?.nested ?? {};
}

/**
 * Returns the reason why a profile must not be used: a duplicate section or unparseable lines. The
 * text is the end of a sentence: `is there twice …`.
 */
export function describeProfileFault(name: string, files: ProfileFiles): string | undefined {
  const { config, credentials } = files;
  return (
    describeSectionFault(config, config.profiles, name) ??
    describeSectionFault(credentials, credentials.profiles, name)
  );
}

/** Like {@link describeProfileFault}, for an SSO session. */
export function describeSsoSessionFault(
  name: string,
  { config }: ProfileFiles,
): string | undefined {
  return describeSectionFault(config, config.ssoSessions, name);
}

/** Like {@link describeProfileFault}, for a services section. */
export function describeServicesFault(name: string, { config }: ProfileFiles): string | undefined {
  if (!config.services.has(name)) {
    return `names the services section "${name}", which is not in ${config.path}`;
  }
  return describeSectionFault(config, config.services, name);
}

function describeSectionFault(
  { path, text }: SharedFile,
  sections: SectionMap,
  name: string,
): string | undefined {
  const found = sections.get(name) ?? [];
  if (found.length > 1) {
    const lines = found.map(({ start }) => start + 1).join(' and ');
    return `is in ${path} more than once, on the lines ${lines}`;
  }
  const starts = found.map(({ start }) => start);
  const problem = text.problems.find(
    ({ kind, sections: affected }) =>
      kind === 'error' && affected.some((start) => starts.includes(start)),
  );
  return (
    problem && `has a line that is not understood: line ${problem.line} of ${path} ${problem.what}`
  );
}

/**
 * Warnings to show before the profile is used: unparseable lines elsewhere in its files, and values
 * that the AWS SDK for JavaScript reads differently.
 */
export function getProfileWarnings(name: string, files: ProfileFiles): readonly string[] {
  return [files.config, files.credentials].flatMap((file) => {
    const own = file.profiles.get(name) ?? [];
    const starts = own.map(({ start }) => start);
    const problems = [
      ...file.text.problems.filter(
        ({ kind, sections }) =>
          kind === 'error' ||
          sections.length === 0 ||
          sections.some((start) => starts.includes(start)),
      ),
      ...file.unnamed.map(({ start, header }) => ({
        line: start + 1,
        what: `is "[${sanitizeQuote(header)}]", which is not understood: put a name with spaces in quotes`,
      })),
      ...findRepeatedProfiles(file),
      ...own.flatMap(({ settings }) => settings.flatMap(findCommentInValue)),
    ];
    if (problems.length === 0) return [];
    const shown = problems.slice(0, MAX_PROBLEMS).map(({ line, what }) => `line ${line} ${what}`);
    const more =
      problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : '';
    return [`Check ${file.path}: ${shown.join('; ')}${more}`];
  });
}

/** Profiles with two sections whose headers are written differently. */
function findRepeatedProfiles({
  profiles,
}: SharedFile): { readonly line: number; readonly what: string }[] {
  return [...profiles].flatMap(([name, [first, second]]) =>
    first && second && first.header !== second.header
      ? [
          {
            line: second.start + 1,
            what: `begins profile "${name}" again, which line ${first.start + 1} begins`,
          },
        ]
      : [],
  );
}

function findCommentInValue({ key, value, nested, lines: [at = 0] }: ConfigSetting) {
  if (nested || !/[ \t][#;]/.test(value)) return [];
  const what = `has "#" or ";" in the value of ${key}, which is read as a part of it, as in the AWS CLI; the AWS SDK for JavaScript ends the value there`;
  return [{ line: at + 1, what }];
}

/** The location of a profile's setting: `line 3 of PATH`. */
export function formatSettingLocation(
  name: string,
  key: string,
  files: ProfileFiles,
): string | undefined {
  for (const { path, text, profiles } of [files.credentials, files.config]) {
    const section = profiles.get(name)?.at(-1);
    const found = [...(section?.settings ?? []), ...text.defaults].find((one) => one.key === key);
    if (section && found) return `line ${(found.lines[0] ?? 0) + 1} of ${path}`;
  }
  return undefined;
}

/** The location of a missing key if its line was parsed as part of another value. */
export function describeSwallowedKey(
  name: string,
  key: string,
  files: ProfileFiles,
): string | undefined {
  for (const { path, profiles } of [files.credentials, files.config]) {
    for (const setting of profiles.get(name)?.flatMap(({ settings }) => settings) ?? []) {
      const found = setting.swallowed.find((one) => one.key === key);
      if (found) {
        return `line ${found.line} of ${path} is indented, so that it belongs to the value of ${setting.key}`;
      }
    }
  }
  return undefined;
}

/**
 * Explains why a profile was not found if a similar section exists or the name has extra
 * characters.
 * Examples: `line 5 of PATH is …`, `its name is in quotes …`.
 */
export function describeMisreadProfile(name: string, files: ProfileFiles): string | undefined {
  const alike = describeSimilarSection('profile', name, files);
  if (alike) return alike;
  const bare = name.trim().replace(/^(["'])(.*)\1$/s, '$2');
  if (bare !== name && files.profiles.has(bare)) {
    return `the name has quotes or spaces around it. Write it without them, as AWS_PROFILE=${bare}`;
  }
  const fault = describeValueFault(name);
  return fault && `the name ${fault}`;
}

/**
 * Describes a section with a similar name:
 * `line 3 of PATH is "[dev]": write "[profile dev]"`.
 */
export function describeSimilarSection(
  kind: 'profile' | 'sso-session',
  name: string,
  { config, credentials }: ProfileFiles,
): string | undefined {
  const isAlike = (header: string) => isSimilarHeader(header, kind, name);
  for (const section of config.text.sections) {
    const { header, isUnderstood, start } = section;
    const is = (what: string) => `line ${start + 1} of ${config.path} is "${what}`;
    if (header === name)
      return is(`[${sanitizeQuote(name)}]": write "[${kind} ${sanitizeQuote(name)}]"`);
    if (isUnderstood && header !== header.trim() && isAlike(header)) {
      return is(`[${sanitizeQuote(header)}]": remove the spaces behind "[" and before "]"`);
    }
    if (config.unnamed.includes(section) && isAlike(header)) {
      return is(`[${sanitizeQuote(header)}]": put the name in quotes, and nothing behind it`);
    }
  }
  for (const { path, text } of [config, credentials]) {
    const problem = text.problems.find(({ header }) => header && isAlike(header));
    if (problem) return `line ${problem.line} of ${path} ${problem.what}`;
  }
  if (kind === 'sso-session') return undefined;
  const wrong = credentials.text.sections.find(
    ({ header }) => splitArguments(header)?.join(' ') === `profile ${name}`,
  );
  return (
    wrong &&
    `line ${wrong.start + 1} of ${credentials.path} is "[${sanitizeQuote(wrong.header)}]": write "[${sanitizeQuote(name)}]" in this file`
  );
}

/** True if an unparseable header may contain the name. Text after the name is ignored. */
function isSimilarHeader(header: string, kind: string, name: string): boolean {
  const plain = (text: string) => text.replace(/["'\s]/g, '').toLowerCase();
  const wanted = plain(name);
  const found = plain(header).replace(new RegExp(`^${kind}`), '');
  const next = found[wanted.length];
  return found.startsWith(wanted) && (next === undefined || '[]#;=:/'.includes(next));
}

/** Variables that a client, shell or template did not replace. */
const PLACEHOLDER = /\$\{[^}]*\}|\{\{[^}]*\}\}|^\$\w+$|^%\w+%$|^<[^<>]*>$/;

/**
 * Describes a syntax error in a value. The text never contains the value, which may be secret. It
 * is the end of a sentence about the setting:
 * `is in quotes, which belong to the value: remove them`.
 */
export function describeValueFault(value: string): string | undefined {
  const [placeholder] = PLACEHOLDER.exec(value) ?? [];
  if (placeholder) {
    return `has the placeholder ${placeholder}, which was not replaced: set the variable for this program, or write the value`;
  }
  if (/^(["'“‘`]).*["'”’`]$/s.test(value)) {
    return 'is in quotes, which belong to the value: remove them';
  }
  if (/^ENC\[/.test(value)) return 'is encrypted: decrypt the file first';
  if (value.includes('\n')) {
    return 'has more than one line, because the line after it is indented: remove the indentation';
  }
  if (/\s[#;]/.test(value)) {
    return 'ends with a comment, which is part of the value: put the comment on a separate line';
  }
  return undefined;
}

/**
 * Trims a key or token. Files and clipboards add whitespace.
 *
 * @param name The name of the setting, for the error: `AWS_ACCESS_KEY_ID`.
 * @throws {AgentCoreError} `credentials` if it is not valid in a header. The error omits the value.
 */
export function normalizeKey(value: string, name: string): string {
  const text = value.trim();
  const fault = describeValueFault(text) ?? (/^[!-~]*$/.test(text) ? undefined : WRONG_CHARACTERS);
  if (fault) {
    throw new AgentCoreError('credentials', `Could not use the AWS credentials: ${name} ${fault}`);
  }
  return text;
}

const WRONG_CHARACTERS =
  'has spaces, line breaks or other characters in it that no key has: copy it again';

/** Returns `AWS_PROFILE` or else `AWS_DEFAULT_PROFILE`, as the AWS SDKs do. */
export function getEnvironmentProfile(env: Environment): string | undefined {
  return env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || undefined;
}
