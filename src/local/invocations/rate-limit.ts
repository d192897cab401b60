import type { Clock } from '../clock.ts';

/** Fixed-window rate limit. A window starts with its first request. */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** A `limit` of 0 means no limit. */
  constructor(limit: number, windowMs: number, clock: Clock) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  admit(): boolean {
    if (this.#limit === 0) return true;
    const now = this.#clock.now();
    // Also start a new window if the clock was set back.
    if (now < this.#windowStart || now - this.#windowStart >= this.#windowMs) {
      this.#windowStart = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= this.#limit;
  }
}
