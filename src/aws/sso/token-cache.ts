import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../environment.ts';
import { homeOf } from '../credentials/profile-files.ts';
import { privateFolder, replaceFile } from './private-file.ts';
import type { SsoSession } from './sso-session.ts';

/** As which program a login was made. A public client: its secret proves nothing. */
export interface Registration {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly expiresAt: Date;
}

/** A login: what its holder may do until it expires, and what renews it without a person. */
export interface SsoToken {
  readonly accessToken: string;
  readonly expiresAt: Date;
  readonly refreshToken: string | undefined;
  readonly registration: Registration | undefined;
}

/** A login with less time left than this, in milliseconds, is renewed; the SDKs do it likewise. */
const RENEW_BEFORE = 5 * 60_000;

/** Where the AWS CLI and the SDKs keep tokens; no variable moves it. */
export function ssoCacheFolder(env: Environment): string {
  return join(homeOf(env), '.aws', 'sso', 'cache');
}

/** Where the AWS CLI and every SDK look for the session's token. */
export function tokenFile({ name, startUrl }: SsoSession, env: Environment): string {
  const key = createHash('sha1')
    .update(name ?? startUrl)
    .digest('hex');
  return join(ssoCacheFolder(env), `${key}.json`);
}

/** What is on file; nothing where that is no token, or one of another portal. */
export async function readToken(
  session: SsoSession,
  env: Environment,
): Promise<SsoToken | undefined> {
  const members = await readMembers(tokenFile(session, env));
  const { accessToken, refreshToken, startUrl } = members;
  const expiresAt = dateOf(members.expiresAt);
  if (typeof accessToken !== 'string' || accessToken === '' || !expiresAt) return undefined;
  if (startUrl !== undefined && startUrl !== session.startUrl) return undefined;
  return {
    accessToken,
    expiresAt,
    refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined,
    registration: registrationOf({ ...members, expiresAt: members.registrationExpiresAt }),
  };
}

export async function writeToken(
  session: SsoSession,
  token: SsoToken,
  env: Environment,
): Promise<void> {
  const { accessToken, expiresAt, refreshToken, registration } = token;
  await writeMembers(tokenFile(session, env), env, {
    startUrl: session.startUrl,
    region: session.region,
    accessToken,
    expiresAt: timestamp(expiresAt),
    ...(registration && {
      clientId: registration.clientId,
      clientSecret: registration.clientSecret,
      registrationExpiresAt: timestamp(registration.expiresAt),
    }),
    ...(refreshToken !== undefined && { refreshToken }),
  });
}

/** @returns false where there was none. */
export async function removeToken(session: SsoSession, env: Environment): Promise<boolean> {
  try {
    await rm(tokenFile(session, env));
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw thrown;
  }
}

export function isValid({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() > now;
}

/** Whether little or nothing is left of it. */
export function isDue({ expiresAt }: SsoToken, now: number): boolean {
  return expiresAt.getTime() - now < RENEW_BEFORE;
}

/** Whether it can be renewed without a person, as far as one can say without asking. */
export function isRefreshable({ refreshToken, registration }: SsoToken, now: number): boolean {
  return refreshToken !== undefined && (registration?.expiresAt.getTime() ?? 0) > now;
}

/** The client that registered itself for such logins, where it was written down and is not old. */
export async function readRegistration(
  session: SsoSession,
  purpose: string,
  env: Environment,
): Promise<Registration | undefined> {
  return registrationOf(await readMembers(registrationFile(session, purpose, env)));
}

export async function writeRegistration(
  session: SsoSession,
  purpose: string,
  { clientId, clientSecret, expiresAt }: Registration,
  env: Environment,
): Promise<void> {
  const members = { clientId, clientSecret, expiresAt: timestamp(expiresAt) };
  await writeMembers(registrationFile(session, purpose, env), env, members);
}

export async function removeRegistration(
  session: SsoSession,
  purpose: string,
  env: Environment,
): Promise<void> {
  await rm(registrationFile(session, purpose, env), { force: true });
}

/**
 * Named as the AWS CLI names its own, by a hash of what it is for. It is another client than the
 * CLI's, under a name of its own, so that people see who asks for access.
 */
function registrationFile(session: SsoSession, purpose: string, env: Environment): string {
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
  return join(ssoCacheFolder(env), `${key}.json`);
}

function registrationOf(members: Members): Registration | undefined {
  const { clientId, clientSecret } = members;
  const expiresAt = dateOf(members.expiresAt);
  if (typeof clientId !== 'string' || typeof clientSecret !== 'string' || !expiresAt) {
    return undefined;
  }
  return { clientId, clientSecret, expiresAt };
}

type Members = Readonly<Record<string, unknown>>;

/** The file may be missing, or half written by a program that does not replace it as a whole. */
async function readMembers(path: string): Promise<Members> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Members) : {};
  } catch {
    return {};
  }
}

async function writeMembers(path: string, env: Environment, members: Members): Promise<void> {
  await privateFolder(ssoCacheFolder(env));
  await replaceFile(path, JSON.stringify(members));
}

/** Seconds are all that the AWS CLI writes, and all that some readers understand. */
function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function dateOf(text: unknown): Date | undefined {
  if (typeof text !== 'string') return undefined;
  // Old versions of the AWS CLI wrote "UTC" for "Z".
  const date = new Date(text.replace(/UTC$/, 'Z'));
  return Number.isNaN(date.getTime()) ? undefined : date;
}
