import type { Clock } from '../clock.ts';

/** So many in each window of time, counted from the window's first. */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  #windowStart = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** A `limit` of 0 is none. */
  constructor(limit: number, windowMs: number, clock: Clock) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  admit(): boolean {
    if (this.#limit === 0) return true;
    const now = this.#clock.now();
    // Also where the clock was put back.
    if (now < this.#windowStart || now - this.#windowStart >= this.#windowMs) {
      this.#windowStart = now;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= this.#limit;
  }
}
