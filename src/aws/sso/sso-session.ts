import { type Clock, SYSTEM_CLOCK } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError } from '../../base/errors.ts';
import type { Network } from '../../http/network.ts';
import {
  describeMisreadProfile,
  describeProfileFault,
  describeSimilarSection,
  describeSsoSessionFault,
  getEnvironmentProfile,
  type ProfileFiles,
  readProfileFiles,
  type Section,
} from '../shared-config.ts';

/** Finds the SSO sessions of the shared files, and defines the context of logins to them. */

/** An access portal of IAM Identity Center, as configured in the shared files. */
export interface SsoSession {
  /** The name of its `[sso-session]` section. Absent if a profile contains the start URL itself. */
  readonly name: string | undefined;
  readonly startUrl: string;
  /** The region of the Identity Center instance. */
  readonly region: string;
  readonly scopes: readonly string[];
  /** The profile of this session, if known. Its endpoint settings apply. */
  readonly profile: string | undefined;
}

/** Selects a session by profile or by name. */
export interface SsoChoice {
  readonly profile?: string | undefined;
  readonly ssoSession?: string | undefined;
}

/** Grants access to accounts, roles and their credentials. The AWS CLI requests it too. */
export const ACCOUNT_SCOPE = 'sso:account:access';

/**
 * Finds the selected SSO session: by its name, by the profile (`AWS_PROFILE`, else `default`), or
 * the only one in the config file.
 *
 * @throws {AgentCoreError} `usage` if the name does not exist or the choice is ambiguous, `config`
 * if the section is incomplete.
 */
export async function findSsoSession(choice: SsoChoice, env: Environment): Promise<SsoSession> {
  if (choice.profile && choice.ssoSession) {
    throw new AgentCoreError('usage', 'Name a profile or an SSO session, not both');
  }
  const files = await readProfileFiles(env);
  const file = files.config.path;
  if (choice.ssoSession) return getSessionByName(choice.ssoSession, undefined, files);
  const asked = choice.profile || getEnvironmentProfile(env);
  const name = findLoginProfile(asked || 'default', files);
  const fault = describeProfileFault(name, files);
  if (fault) {
    throw new AgentCoreError(
      'config',
      `Could not use profile "${name}": it ${fault}. Correct the file`,
    );
  }
  const profile = files.profiles.get(name);
  if (profile?.sso_session) return getSessionByName(profile.sso_session, name, files);
  if (profile?.sso_start_url || profile?.sso_region) {
    const where = `profile "${name}" in ${file}`;
    return parseSsoSession(profile, where, { name: undefined, profile: name });
  }
  if (asked) throw createMissingSsoError(asked, files);
  const [only, ...others] = files.ssoSessions.keys();
  if (only && others.length === 0) return getSessionByName(only, undefined, files);
  const advice = only
    ? `name one of the SSO sessions ${[only, ...others].join(', ')}, or a profile`
    : 'add one with "aws configure sso"';
  throw new AgentCoreError('usage', `No SSO session to sign in to: ${advice} (${file})`);
}

/** Returns the profile with the login. For a role profile, this is a source profile. */
function findLoginProfile(name: string, { profiles }: ProfileFiles): string {
  const seen = new Set<string>();
  for (let at = name; !seen.has(at); ) {
    seen.add(at);
    const {
      sso_session: session,
      sso_start_url: startUrl,
      source_profile: source,
    } = profiles.get(at) ?? {};
    if (session || startUrl || !source || !profiles.has(source)) return at;
    at = source;
  }
  return name;
}

/** Lists all SSO sessions of the config file. Incomplete ones are omitted. */
export async function listSsoSessions(env: Environment): Promise<readonly SsoSession[]> {
  const files = await readProfileFiles(env);
  return [...files.ssoSessions].flatMap(
    ([name, { sso_start_url: startUrl, sso_region: region }]) =>
      startUrl && region && URL.canParse(startUrl) && !describeSsoSessionFault(name, files)
        ? [getSessionByName(name, undefined, files)]
        : [],
  );
}

/** The display name of the session. */
export function formatSsoSessionName({ name, startUrl }: SsoSession): string {
  return name === undefined ? startUrl : `SSO session "${name}"`;
}

/** The command to sign in to it. */
export function formatLoginCommand({ name, profile }: SsoSession): string {
  if (profile !== undefined) return `agentcore-mcp login --profile ${quoteName(profile)}`;
  if (name !== undefined) return `agentcore-mcp login --sso-session ${quoteName(name)}`;
  return 'agentcore-mcp login';
}

function getSessionByName(
  name: string,
  profile: string | undefined,
  files: ProfileFiles,
): SsoSession {
  const file = files.config.path;
  const section = files.ssoSessions.get(name);
  const fault = describeSsoSessionFault(name, files);
  if (fault) {
    throw new AgentCoreError(
      'config',
      `Could not use SSO session "${name}": it ${fault}. Correct the file`,
    );
  }
  if (section)
    return parseSsoSession(section, `[sso-session ${name}] in ${file}`, { name, profile });
  const whose = profile === undefined ? '' : `, which profile "${profile}" names,`;
  const alike = describeSimilarSection('sso-session', name, files);
  if (alike) {
    throw new AgentCoreError(
      'config',
      `Could not use SSO session "${name}"${whose || ':'} ${alike}`,
    );
  }
  throw new AgentCoreError(
    'usage',
    `SSO session "${name}"${whose} is not in ${file}: name one that is, or add it with "aws configure sso"`,
  );
}

function parseSsoSession(
  section: Section,
  where: string,
  identity: Pick<SsoSession, 'name' | 'profile'>,
): SsoSession {
  const startUrl = getRequired(section, 'sso_start_url', where);
  if (!URL.canParse(startUrl)) {
    throw new AgentCoreError('config', `sso_start_url of ${where} is not a URL: ${startUrl}`);
  }
  const scopes = (section.sso_registration_scopes ?? '').split(/[,\s]+/).filter(Boolean);
  return {
    ...identity,
    startUrl,
    region: getRequired(section, 'sso_region', where),
    scopes: scopes.length > 0 ? scopes : [ACCOUNT_SCOPE],
  };
}

function getRequired(section: Section, field: string, where: string): string {
  const value = section[field];
  if (value) return value;
  throw new AgentCoreError('config', `${field} is missing: add it to ${where}`);
}

function createMissingSsoError(profile: string, files: ProfileFiles): AgentCoreError {
  const file = files.config.path;
  const exists = files.profiles.has(profile);
  const misread = exists ? undefined : describeMisreadProfile(profile, files);
  if (misread) {
    return new AgentCoreError('usage', `Could not use profile "${profile}": ${misread}`);
  }
  return new AgentCoreError(
    'usage',
    exists
      ? `Profile "${profile}" has no SSO login: it names neither sso_session nor sso_start_url in ${file}; add them with "aws configure sso"`
      : `Profile "${profile}" is not in ${file}: name one that is, or add it with "aws configure sso"`,
  );
}

function quoteName(name: string): string {
  return /^[\w@%+=:,./-]+$/.test(name) ? name : `"${name}"`;
}

/** The environment of login operations. */
export interface SsoContext {
  readonly env: Environment;
  readonly network: Network;
  /** The system clock if omitted. */
  readonly clock?: Clock;
}

export function getClock({ clock = SYSTEM_CLOCK }: Pick<SsoContext, 'clock'>): Clock {
  return clock;
}

/** The code for a sign-in and the page to enter it on. */
export interface SignInCode {
  readonly userCode: string;
  readonly verificationUri: string;
  /** The same page with the code filled in, if available. */
  readonly verificationUriComplete: string | undefined;
  readonly expiresAt: Date;
}

/**
 * User interaction of a login. The CLI prints messages, and the extension shows them. The login
 * itself does neither.
 */
export interface LoginPrompts {
  /** Opens the page. Returns false if it could not be opened, and the login then uses a code. */
  openBrowser(url: string): Promise<boolean>;
  /** Shows the code. The login polls for confirmation and does not wait for this call. */
  showCode(code: SignInCode): Promise<void> | void;
  /** Shows a short progress sentence, without a full stop. */
  progress(sentence: string): void;
}
