import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../environment.ts';
import { getHomeDirectory } from '../credentials/profile-files.ts';
import { ensurePrivateDirectory, replaceFile } from './private-file.ts';
import type { SsoSession } from './sso-session.ts';

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
const RENEW_BEFORE = 5 * 60_000;

/** The token cache of the AWS CLI and the SDKs. No variable changes this path. */
export function getSsoCacheDirectory(env: Environment): string {
  return join(getHomeDirectory(env), '.aws', 'sso', 'cache');
}

/** The path where the AWS CLI and every SDK look for the session's token. */
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

/** @returns false if there was none. */
export async function removeToken(session: SsoSession, env: Environment): Promise<boolean> {
  try {
    await rm(getTokenPath(session, env));
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

export function isValid({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() > now;
}

/** Whether the token has expired or should be refreshed. */
export function isDue({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() - now < RENEW_BEFORE;
}

/** Whether it can be refreshed without the user, based on the stored data. */
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
