import { createHash } from 'node:crypto';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import { runCommand } from '../../base/exec.ts';
import { createCredentialsError } from '../credentials/errors.ts';

/** Bearer tokens: their cache, their syntax and claims, and the command that prints one. */

/** Start the background refresh this many milliseconds before expiry. */
const RENEW_BEFORE = 5 * 60 * 1000;

/**
 * Maximum random milliseconds to refresh earlier, so that programs do not refresh simultaneously.
 */
const JITTER = 60 * 1000;

/** Stop using a token this many milliseconds before expiry. */
const SAFETY = 5_000;

/** Milliseconds to wait after a background refresh without a newer token. */
const RETRY_DELAY_MS = 30_000;

/** Token request timeout in milliseconds. */
const GET_TOKEN_TIMEOUT_MS = 60_000;

/** Maximum delay of a Node timer, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Gets a token. Throws {@link AgentCoreError} `credentials`. */
type TokenSource = (signal: AbortSignal) => Promise<Token>;

interface Held {
  readonly token: Token;
  /** When to stop using the token, and when to refresh it. */
  readonly overAt: number;
  readonly dueAt: number;
}

/**
 * Caches a token until shortly before expiry and refreshes it in the background. Concurrent callers
 * share one request.
 */
export class CachedToken {
  readonly #source: TokenSource;
  #held: Held | undefined;
  /** When another token replaced the previous one (`performance.now()`). */
  #replacedAt = Number.NEGATIVE_INFINITY;
  #wasUsed = false;
  #asking: Promise<Token> | undefined;
  #restsUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /**
   * Returns the cached token, or requests one.
   *
   * @throws {AgentCoreError} `credentials`
   */
  async get(): Promise<Token> {
    const held = this.#held;
    if (!held || held.overAt <= Date.now()) return this.#ask();
    this.#wasUsed = true;
    if (held.dueAt <= Date.now()) this.#renewInBackground();
    return held.token;
  }

  /**
   * Gets a new token after calls were rejected. Concurrent callers share one request.
   *
   * @param since The start of the rejected call (`performance.now()`).
   * @returns false if the token is still the same, so a retry would not help.
   */
  async renew(since: number): Promise<boolean> {
    if (this.#replacedAt > since) return true;
    await this.#ask();
    return this.#replacedAt > since;
  }

  #ask(): Promise<Token> {
    this.#asking ??= this.#request().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #request(): Promise<Token> {
    const signal = AbortSignal.timeout(GET_TOKEN_TIMEOUT_MS);
    try {
      const token = await Promise.race([this.#source(signal), waitForAbort(signal)]);
      this.#keep(token);
      return token;
    } catch (thrown) {
      if (thrown instanceof AgentCoreError) throw thrown;
      const reason = signal.aborted
        ? `none came within ${GET_TOKEN_TIMEOUT_MS / 1000} s`
        : getErrorMessage(thrown).split('\n', 1)[0];
      throw createCredentialsError(`No bearer token: ${reason}; try again`);
    }
  }

  #keep(token: Token): void {
    const now = Date.now();
    if (this.#held && this.#held.token.value !== token.value) this.#replacedAt = performance.now();
    this.#held = { token, ...getTokenLife(token, now) };
    this.#wasUsed = false;
    this.#restsUntil = 0;
    this.#wakeUp(this.#held.dueAt);
  }

  /** Ignores refresh failures while the current token is valid. */
  #renewInBackground(): void {
    if (this.#asking || Date.now() < this.#restsUntil) return;
    const before = this.#held?.token;
    const rest = () => {
      this.#restsUntil = Date.now() + RETRY_DELAY_MS;
      this.#wakeUp(this.#restsUntil);
    };
    this.#ask().then((token) => {
      if (token.value === before?.value) rest();
    }, rest);
  }

  /** Schedules a refresh. It runs only if the token was used. */
  #wakeUp(at: number): void {
    clearTimeout(this.#timer);
    const { overAt = 0 } = this.#held ?? {};
    if (at >= overAt || overAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(at - Date.now(), 0), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      if (this.#wasUsed) this.#renewInBackground();
    }, wait).unref();
  }
}

function getTokenLife({ expiresAt }: Token, now: number): Pick<Held, 'overAt' | 'dueAt'> {
  if (expiresAt === undefined) {
    return { overAt: Number.POSITIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };
  }
  const life = Math.max(expiresAt - now, 0);
  return {
    overAt: expiresAt - Math.min(SAFETY, life / 10),
    dueAt: expiresAt - Math.min(RENEW_BEFORE + Math.random() * JITTER, life / 2),
  };
}

function waitForAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
}

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
  if (!TOKEN.test(value))
    throw createCredentialsError(`${whose} something that is no bearer token`);
  const { exp } = parseClaims(value);
  const end = expiresAt ?? (typeof exp === 'number' ? exp * 1000 : undefined);
  if (end !== undefined && end <= Date.now()) {
    throw createCredentialsError(
      `${whose} a token that expired at ${toIsoTime(end)}: check the clock of this machine, and sign in where the token comes from`,
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
  return Number.isNaN(date.getTime()) ? 'a time that is no date' : date.toISOString();
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
  readonly within?: number;
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
  if (output === '')
    throw fail('wrote nothing to stdout: run it in a terminal to see what it does');
  const answer = parseObject(output);
  if (!answer) {
    if (/\s/.test(output)) throw fail('wrote more than one word: let it print the token alone');
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
  throw fail(`wrote a "${name}" that is neither a number of seconds nor a time of ISO 8601`);
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
