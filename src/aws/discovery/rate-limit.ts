import { type Clock, getBackoffDelay } from '../../base/async.ts';
import { isThrottlingError, isTransientError } from '../sdk-errors.ts';

/** API calls per second, for an account and region (source: AgentCore's quotas). */
const LISTS_PER_SECOND = 5;

const GETS_PER_SECOND = 50;

/** Maximum attempts of a throttled call. */
const MAX_THROTTLED_ATTEMPTS = 8;

/** Maximum attempts after a temporary failure. */
const MAX_FAILED_ATTEMPTS = 3;

const BACKOFF = { initialMs: 250, maxMs: 8_000 };

/** Calls APIs within AWS's rate limits, and retries temporary failures. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #buckets = new Map<string, TokenBucket>();

  /** @param random Returns a number from 0 to 1. */
  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Makes a call when the rate limit allows it.
   *
   * @param scope The unit of the rate limit apart from the API: an account in a region.
   * @throws the error of the last attempt, or the signal's reason.
   */
  async call<T>(
    scope: string,
    api: string,
    signal: AbortSignal,
    send: () => Promise<T>,
  ): Promise<T> {
    const bucket = this.#getBucket(scope, api);
    for (let attempt = 1; ; attempt++) {
      await bucket.take(signal);
      try {
        return await send();
      } catch (thrown) {
        signal.throwIfAborted();
        const isThrottled = isThrottlingError(thrown);
        const most = isThrottled
          ? MAX_THROTTLED_ATTEMPTS
          : isTransientError(thrown)
            ? MAX_FAILED_ATTEMPTS
            : 1;
        if (attempt >= most) throw thrown;
        const pause = getBackoffDelay(attempt, BACKOFF, this.#random);
        // Pause all calls, because the waiting ones would be throttled too.
        if (isThrottled) bucket.pause(pause);
        else await this.#clock.sleep(pause, signal);
      }
    }
  }

  #getBucket(scope: string, api: string): TokenBucket {
    const key = `${scope} ${api}`;
    let bucket = this.#buckets.get(key);
    if (!bucket) {
      const rate = api.startsWith('Get') ? GETS_PER_SECOND : LISTS_PER_SECOND;
      bucket = new TokenBucket(rate, this.#clock);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }
}

/** Limits calls like AWS does: an initial burst, and the same number again each second. */
class TokenBucket {
  readonly #perSecond: number;
  readonly #clock: Clock;
  /** If negative, the number of calls already waiting. */
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = perSecond;
    this.#filledAt = clock.now();
  }

  /** Resolves when the rate limit allows a call. */
  async take(signal: AbortSignal): Promise<void> {
    this.#fill();
    this.#tokens -= 1;
    if (this.#tokens < 0) {
      await this.#clock.sleep((-this.#tokens / this.#perSecond) * 1000, signal);
    }
  }

  /**
   * Blocks all calls for a time, because other programs share the account's rate limit. If pauses
   * overlap, the longest applies.
   */
  pause(milliseconds: number): void {
    this.#fill();
    this.#tokens = Math.min(this.#tokens, -(milliseconds / 1000) * this.#perSecond);
  }

  #fill(): void {
    const now = this.#clock.now();
    const gained = (Math.max(0, now - this.#filledAt) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
  }
}
