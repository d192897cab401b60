import type { Timing } from './timing.ts';

/** Limits calls like AWS does: an initial burst, and the same number again each second. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #timing: Timing;
  /** If negative, the number of calls already waiting. */
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, timing: Timing) {
    this.#perSecond = perSecond;
    this.#timing = timing;
    this.#tokens = perSecond;
    this.#filledAt = timing.now();
  }

  /** Resolves when the rate limit allows a call. */
  async take(signal: AbortSignal): Promise<void> {
    this.#fill();
    this.#tokens -= 1;
    if (this.#tokens < 0) {
      await this.#timing.sleep((-this.#tokens / this.#perSecond) * 1000, signal);
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
    const now = this.#timing.now();
    const gained = (Math.max(0, now - this.#filledAt) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
  }
}
