import { createHash } from 'node:crypto';
import type { Environment } from '../../base/environment.ts';
import { runCommand } from '../../base/exec.ts';
import { createCredentialsError } from '../credentials/errors.ts';

/** Bearer tokens: their syntax and claims, and the command that prints one. */

/** A bearer token and its expiry. */
export interface Token {
  readonly value: string;
  /** Milliseconds since 1970, or `undefined` if unknown. */
  readonly expiresAt: number | undefined;
}

/** The syntax of RFC 6750, limited to a length that fits into a header. */
const TOKEN = /^[\w.~+/-]{1,16000}=*$/;

/**
 * Validates an issued token. If the issuer gave no expiry, the `exp` claim of a JWT is used.
 *
 * @param whose Start of the error message.
 * @throws {AgentCoreError} `credentials`, without the token
 */
export function parseBearerToken(
  value: string,
  expiresAt: number | undefined,
  whose: string,
): Token {
  if (!TOKEN.test(value)) throw createCredentialsError(`${whose} an invalid bearer token`);
  const { exp } = parseClaims(value);
  const end = expiresAt ?? (typeof exp === 'number' ? exp * 1000 : undefined);
  if (end !== undefined && end <= Date.now()) {
    throw createCredentialsError(
      `${whose} a token that expired at ${toIsoTime(end)}: check the clock of this machine, and sign in to the source of the token`,
    );
  }
  return { value, expiresAt: end };
}

/**
 * Returns a stable identifier for the subject of a token. Returns `undefined` for an opaque token.
 */
export function getTokenSubject({ value }: Token): string | undefined {
  const { iss, sub, client_id: client } = parseClaims(value);
  if (typeof sub !== 'string' && typeof client !== 'string') return undefined;
  const digest = createHash('sha256').update(JSON.stringify([iss, sub, client]));
  return `jwt:${digest.digest('hex')}`;
}

/**
 * Decodes the claims of a JWT without verification, which only its receiver can do. Returns no
 * claims for other tokens.
 */
function parseClaims(value: string): Readonly<Record<string, unknown>> {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]*$/.exec(value)?.[1];
  if (payload === undefined) return {};
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? { ...claims } : {};
  } catch {
    return {};
  }
}

function toIsoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'an invalid time' : date.toISOString();
}

const WHOSE = 'The AGENTCORE_TOKEN_COMMAND';

/**
 * Larger numbers are milliseconds since 1970, smaller ones seconds. The bound is the year 5138 in
 * seconds, or 1973 in milliseconds.
 */
const SECONDS_END = 1e11;

/** Larger numbers are timestamps, smaller ones lifetimes in seconds. No issuer grants 30 years. */
const MAX_RELATIVE_SECONDS = 1e9;

interface TokenCommandOptions {
  readonly command: string;
  readonly env: Environment;
  readonly signal: AbortSignal;
  /** Timeout in milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * Runs a shell command that prints a token, or JSON with `access_token` or `token`. The JSON may
 * contain `expires_in` (seconds), or `expiration`, `expires_at`, `expires_on` or `expiry` (ISO
 * 8601, or seconds or milliseconds since 1970). Error messages never contain stdout. Possible
 * secrets in stderr are removed.
 *
 * @throws {AgentCoreError} `credentials`
 */
export async function runTokenCommand(options: TokenCommandOptions): Promise<Token> {
  const fail = (what: string) => createCredentialsError(`${WHOSE} ${what}`);
  const output = (await runCommand({ ...options, quote: maskSecrets }, fail)).trim();
  if (output === '') throw fail('wrote nothing to stdout: run it in a terminal to see its output');
  const answer = parseObject(output);
  if (!answer) {
    if (/\s/.test(output)) throw fail('wrote more than one word: it must print only the token');
    return parseBearerToken(output, undefined, `${WHOSE} wrote`);
  }
  const value = [answer.access_token, answer.accessToken, answer.token].find(
    (member) => typeof member === 'string',
  );
  if (typeof value !== 'string') throw fail('wrote JSON without "access_token" or "token"');
  return parseBearerToken(value, parseExpiry(answer, fail), `${WHOSE} wrote`);
}

function parseObject(output: string): Readonly<Record<string, unknown>> | undefined {
  if (!output.startsWith('{')) return undefined;
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

/** Milliseconds since 1970. */
function parseExpiry(
  answer: Readonly<Record<string, unknown>>,
  fail: (what: string) => Error,
): number | undefined {
  const names = ['expires_in', 'expiresIn', 'expiration', 'expires_at', 'expires_on', 'expiresOn'];
  const name = [...names, 'expiry'].find((known) => answer[known] !== undefined);
  if (name === undefined || answer[name] === null) return undefined;
  const said = answer[name];
  const number = typeof said === 'string' && said.trim() === '' ? Number.NaN : Number(said);
  const end = Number.isNaN(number) ? Date.parse(String(said)) : toExpiryMs(number);
  if (Number.isFinite(end)) return end;
  throw fail(`wrote a "${name}" that is neither a number of seconds nor an ISO 8601 time`);
}

function toExpiryMs(number: number): number {
  if (number < MAX_RELATIVE_SECONDS) return Date.now() + number * 1000;
  return number < SECONDS_END ? number * 1000 : number;
}

/** Removes values after names like `token`, and any text long enough to be a secret. */
function maskSecrets(text: string): string {
  return text
    .replace(
      /((?:secret|token|password|passwd|pwd|key|bearer|code)["']?\s{0,5}[:=]?\s{0,5})\S+/gi,
      '$1[…]',
    )
    .replace(/[\w.~+/=-]{24,}/g, '[…]');
}
