import { AgentCoreError, messageOf } from '../../error.ts';
import { credentialsFailure } from '../credentials/credentials-failure.ts';
import type { Token } from './token.ts';

/** Milliseconds before its end at which a token is renewed in the background. */
const RENEW_BEFORE = 5 * 60 * 1000;
/** Up to so many milliseconds earlier, so that not all programs of a machine ask at once. */
const JITTER = 60 * 1000;
/** Milliseconds before its end at which a token is not used any more. */
const SAFETY = 5_000;
/** Milliseconds after an attempt in the background that brought nothing newer. */
const REST = 30_000;
/** The most milliseconds that getting one may take. */
const GET_WITHIN = 60_000;
/** Node's timers end there. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Asks for a token; throws {@link AgentCoreError} `credentials`. */
export type TokenSource = (signal: AbortSignal) => Promise<Token>;

interface Held {
  readonly token: Token;
  /** When it is not to be used any more, and when a newer one is due. */
  readonly overAt: number;
  readonly dueAt: number;
}

/**
 * A token that stays valid by itself: kept until shortly before its end, and renewed in the
 * background before that. All who ask meanwhile share one request.
 */
export class KeptToken {
  readonly #source: TokenSource;
  #held: Held | undefined;
  /** When the one held took the place of another (`performance.now()`). */
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
   * Gets another one for callers whose calls were refused, once for all of them.
   *
   * @param since The moment (`performance.now()`) at which the refused call began.
   * @returns false where the same one comes back, so that nothing is gained by it.
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
    const signal = AbortSignal.timeout(GET_WITHIN);
    try {
      const token = await Promise.race([this.#source(signal), rejectedAt(signal)]);
      this.#keep(token);
      return token;
    } catch (thrown) {
      if (thrown instanceof AgentCoreError) throw thrown;
      const reason = signal.aborted
        ? `none came within ${GET_WITHIN / 1000} s`
        : messageOf(thrown).split('\n', 1)[0];
      throw credentialsFailure(`No bearer token: ${reason}; try again`);
    }
  }

  #keep(token: Token): void {
    const now = Date.now();
    if (this.#held && this.#held.token.value !== token.value) this.#replacedAt = performance.now();
    this.#held = { token, ...lifeOf(token, now) };
    this.#wasUsed = false;
    this.#restsUntil = 0;
    this.#wakeUp(this.#held.dueAt);
  }

  /** Failures stay unsaid: as long as the one held is valid, nobody misses anything. */
  #renewInBackground(): void {
    if (this.#asking || Date.now() < this.#restsUntil) return;
    const before = this.#held?.token;
    const rest = () => {
      this.#restsUntil = Date.now() + REST;
      this.#wakeUp(this.#restsUntil);
    };
    this.#ask().then((token) => {
      if (token.value === before?.value) rest();
    }, rest);
  }

  /** Renews at that time, if there is somebody who uses it. */
  #wakeUp(at: number): void {
    clearTimeout(this.#timer);
    const { overAt = 0 } = this.#held ?? {};
    if (at >= overAt || overAt === Number.POSITIVE_INFINITY) return;
    const wait = Math.min(Math.max(at - Date.now(), 0), LONGEST_TIMER);
    this.#timer = setTimeout(() => {
      if (this.#wasUsed) this.#renewInBackground();
    }, wait).unref();
  }
}

function lifeOf({ expiresAt }: Token, now: number): Pick<Held, 'overAt' | 'dueAt'> {
  if (expiresAt === undefined) {
    return { overAt: Number.POSITIVE_INFINITY, dueAt: Number.POSITIVE_INFINITY };
  }
  const life = Math.max(expiresAt - now, 0);
  return {
    overAt: expiresAt - Math.min(SAFETY, life / 10),
    dueAt: expiresAt - Math.min(RENEW_BEFORE + Math.random() * JITTER, life / 2),
  };
}

function rejectedAt(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
}
