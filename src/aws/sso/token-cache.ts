import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Debouncer } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { DirectoryWatcher, ensurePrivateDirectory, replaceFile } from '../../base/files.ts';
import { getHomeDirectory } from '../shared-config.ts';
import { getClock, type SsoContext, type SsoSession } from './sso-session.ts';

/** Reads and writes the SSO token cache, which the AWS CLI and all SDKs share. */

/** An OAuth client registration. The client is public, so its secret proves nothing. */
export interface Registration {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly expiresAt: Date;
}

/** A login token and the data to refresh it without the user. */
export interface SsoToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
  readonly refreshToken: string | undefined;
  readonly registration: Registration | undefined;
}

/** Refresh a login with fewer remaining milliseconds. The SDKs use the same value. */
const REFRESH_BEFORE_MS = 5 * 60_000;

/** The token cache of the AWS CLI and the SDKs. No variable changes this path. */
export function getSsoCacheDirectory(env: Environment): string {
  return join(getHomeDirectory(env), '.aws', 'sso', 'cache');
}

/** The path of the session's token, as in the AWS CLI and every SDK. */
export function getTokenPath({ name, startUrl }: SsoSession, env: Environment): string {
  const key = createHash('sha1')
    .update(name ?? startUrl)
    .digest('hex');
  return join(getSsoCacheDirectory(env), `${key}.json`);
}

/** Reads the stored token. Returns `undefined` if it is missing, invalid or for another portal. */
export async function readToken(
  session: SsoSession,
  env: Environment,
): Promise<SsoToken | undefined> {
  const members = await readMembers(getTokenPath(session, env));
  const { accessToken, refreshToken, startUrl } = members;
  const expiresAt = parseDate(members.expiresAt);
  if (typeof accessToken !== 'string' || accessToken === '' || !expiresAt) return undefined;
  if (startUrl !== undefined && startUrl !== session.startUrl) return undefined;
  return {
    accessToken,
    expiresAt,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
    registration: parseRegistration({ ...members, expiresAt: members.registrationExpiresAt }),
  };
}

/** @throws {AgentCoreError} `config` if the file cannot be written. */
export async function writeToken(
  session: SsoSession,
  token: SsoToken,
  env: Environment,
): Promise<void> {
  const { accessToken, expiresAt, refreshToken, registration } = token;
  await writeMembers(getTokenPath(session, env), env, {
    startUrl: session.startUrl,
    region: session.region,
    accessToken,
    expiresAt: formatTimestamp(expiresAt),
    ...(registration && {
      clientId: registration.clientId,
      clientSecret: registration.clientSecret,
      registrationExpiresAt: formatTimestamp(registration.expiresAt),
    }),
    ...(refreshToken !== undefined && { refreshToken }),
  });
}

/** Removes the stored token. Returns false if there was none. */
export async function removeToken(session: SsoSession, env: Environment): Promise<boolean> {
  try {
    await rm(getTokenPath(session, env));
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

/** @param now Milliseconds since 1970. */
export function isValid({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() > now;
}

/** True if the token has expired or should be refreshed. */
export function isDue({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() - now < REFRESH_BEFORE_MS;
}

/** True if it can be refreshed without the user, based on the stored data. */
export function isRefreshable({ refreshToken, registration }: SsoToken, now: number): boolean {
  return refreshToken !== undefined && (registration?.expiresAt.getTime() ?? 0) > now;
}

/** Returns the stored client registration, even if it has expired, or `undefined`. */
export async function readRegistration(
  session: SsoSession,
  purpose: string,
  env: Environment,
): Promise<Registration | undefined> {
  return parseRegistration(await readMembers(getRegistrationPath(session, purpose, env)));
}

export async function writeRegistration(
  session: SsoSession,
  purpose: string,
  { clientId, clientSecret, expiresAt }: Registration,
  env: Environment,
): Promise<void> {
  const members = { clientId, clientSecret, expiresAt: formatTimestamp(expiresAt) };
  await writeMembers(getRegistrationPath(session, purpose, env), env, members);
}

export async function removeRegistration(
  session: SsoSession,
  purpose: string,
  env: Environment,
): Promise<void> {
  await rm(getRegistrationPath(session, purpose, env), { force: true });
}

/**
 * Named by a hash of its purpose, like the files of the AWS CLI. The client differs from the CLI's
 * and has its own name, so that users see the program requesting access.
 */
function getRegistrationPath(session: SsoSession, purpose: string, env: Environment): string {
  const { name, startUrl, region, scopes } = session;
  const identity = JSON.stringify({
    tool: 'agentcore-mcp',
    purpose,
    name,
    startUrl,
    region,
    scopes,
  });
  const key = createHash('sha1').update(identity).digest('hex');
  return join(getSsoCacheDirectory(env), `${key}.json`);
}

function parseRegistration(members: Members): Registration | undefined {
  const { clientId, clientSecret } = members;
  const expiresAt = parseDate(members.expiresAt);
  if (typeof clientId !== 'string' || typeof clientSecret !== 'string' || !expiresAt) {
    return undefined;
  }
  return { clientId, clientSecret, expiresAt };
}

type Members = Readonly<Record<string, unknown>>;

/** Returns no members if the file is missing, or incomplete because of a non-atomic write. */
async function readMembers(path: string): Promise<Members> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Members) : {};
  } catch {
    return {};
  }
}

async function writeMembers(path: string, env: Environment, members: Members): Promise<void> {
  await ensurePrivateDirectory(getSsoCacheDirectory(env));
  await replaceFile(path, JSON.stringify(members));
}

/** Whole seconds, as written by the AWS CLI. Some readers accept nothing else. */
function formatTimestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function parseDate(text: unknown): Date | undefined {
  if (typeof text !== 'string') return undefined;
  // Old versions of the AWS CLI wrote "UTC" instead of "Z".
  const date = new Date(text.replace(/UTC$/, 'Z'));
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** The state of a login, for views. */
export type LoginStatus =
  | { readonly state: 'signed-out' }
  | {
      /** `refreshable`: expired, but the next use refreshes it without the user. */
      readonly state: 'signed-in' | 'refreshable' | 'expired';
      readonly until: Date;
      /** True if it can be refreshed after `until` without the user, based on the stored data. */
      readonly isRefreshable: boolean;
    };

/** Reads the login state from the stored token only. A login revoked by AWS still appears valid. */
export async function readLoginStatus(
  session: SsoSession,
  context: Pick<SsoContext, 'env' | 'clock'>,
): Promise<LoginStatus> {
  const now = getClock(context).now();
  const token = await readToken(session, context.env);
  if (!token) return { state: 'signed-out' };
  const renews = isRefreshable(token, now);
  const expired = renews ? 'refreshable' : 'expired';
  return {
    state: isValid(token, now) ? 'signed-in' : expired,
    until: token.expiresAt,
    isRefreshable: renews,
  };
}

/** Debounce in milliseconds. */
const DEBOUNCE_MS = 200;

/** Milliseconds between checks for a missing directory. */
const POLL_INTERVAL_MS = 3_000;

/**
 * Calls `onChange` after a possible login or logout by any program, until the signal aborts. It may
 * miss changes if the file system does not report them.
 */
export function watchLogins(env: Environment, onChange: () => void, signal: AbortSignal): void {
  if (signal.aborted) return;
  const debouncer = new Debouncer(onChange, DEBOUNCE_MS);
  const watcher = new DirectoryWatcher(getSsoCacheDirectory(env), () => debouncer.restart());
  watcher.start();
  const timer = setInterval(() => {
    // The first login creates the directory.
    if (watcher.start()) debouncer.restart();
  }, POLL_INTERVAL_MS).unref();
  const end = () => {
    clearInterval(timer);
    debouncer.dispose();
    watcher.close();
  };
  signal.addEventListener('abort', end, { once: true });
}
