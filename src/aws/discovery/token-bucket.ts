import type { Timing } from './timing.ts';

/** Lets a call through as often as AWS does: so many at once, and as many more each second. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #timing: Timing;
  /** Below zero: the turns of those that wait already. */
  #tokens: number;
  #filledAt: number;

  constructor(perSecond: number, timing: Timing) {
    this.#perSecond = perSecond;
    this.#timing = timing;
    this.#tokens = perSecond;
    this.#filledAt = timing.now();
  }

  /** Resolves when it is the caller's turn. */
  async take(signal: AbortSignal): Promise<void> {
    this.#fill();
    this.#tokens -= 1;
    if (this.#tokens < 0) {
      await this.#timing.sleep((-this.#tokens / this.#perSecond) * 1000, signal);
    }
  }

  /**
   * Lets nobody else through for so many milliseconds: others use the account's rate as well. Of
   * several pauses at once, the longest counts.
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
