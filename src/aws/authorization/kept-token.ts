import { AgentCoreError, getErrorMessage } from '../../error.ts';
import { createCredentialsError } from '../credentials/credentials-failure.ts';
import type { Token } from './token.ts';

/** Start the background refresh this many milliseconds before expiry. */
const RENEW_BEFORE = 5 * 60 * 1000;

/**
 * Maximum random milliseconds to refresh earlier. Prevents all programs from refreshing at once.
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
export class KeptToken {
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

  /** @throws {AgentCoreError} `credentials` */
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
