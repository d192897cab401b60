import type { Log } from '../log.ts';
import { BEARABLE_SKEW, describeClockSkew } from './clock-skew.ts';

/**
 * The clock for signatures and credential expiry. It is the system clock, corrected by the `Date`
 * header of AWS responses if the difference is too large for a valid signature.
 */
export class SigningClock {
  readonly #machine: () => number;
  readonly #log: Log | undefined;
  /** Milliseconds by which AWS is ahead of the system clock. */
  #offset = 0;
  #correctedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param machine The current time in milliseconds since the epoch. The default is the system
   * clock.
   */
  constructor(log?: Log, machine: () => number = Date.now) {
    this.#log = log;
    this.#machine = machine;
  }

  /** In milliseconds since the epoch. */
  now(): number {
    return this.#machine() + this.#offset;
  }

  /**
   * Updates the offset from a response's `Date` header (RFC 9110, 6.6.1). Ignores invalid dates.
   */
  learn(date: string | undefined): void {
    const machine = this.#machine();
    const offset = Date.parse(date ?? '') - machine;
    if (!(Math.abs(offset - this.#offset) > BEARABLE_SKEW)) return;
    const skew = describeClockSkew(date, machine);
    this.#offset = skew ? offset : 0;
    this.#correctedAt = performance.now();
    if (skew) this.#log?.('warning', `Requests are signed with the time of AWS: ${skew}`);
  }

  /** Whether the clock was corrected after a moment (`performance.now()`). */
  wasCorrectedSince(moment: number): boolean {
    return this.#correctedAt > moment;
  }
}
