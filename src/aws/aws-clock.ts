import type { Log } from '../log.ts';
import { BEARABLE_SKEW, skewSentence } from './clock-skew.ts';

/**
 * The time by which AWS judges signatures and the life of credentials: this machine's, corrected by
 * the `Date` of AWS's answers where the two are too far apart for a signature to be taken.
 */
export class AwsClock {
  readonly #machine: () => number;
  readonly #log: Log | undefined;
  /** Milliseconds that AWS is ahead. */
  #offset = 0;
  #correctedAt = Number.NEGATIVE_INFINITY;

  /** @param machine Milliseconds since the epoch, by default the system's. */
  constructor(log?: Log, machine: () => number = Date.now) {
    this.#log = log;
    this.#machine = machine;
  }

  /** In milliseconds since the epoch. */
  now(): number {
    return this.#machine() + this.#offset;
  }

  /** Takes note of an answer's `Date` header (RFC 9110, 6.6.1), if it has one that can be read. */
  learn(date: string | undefined): void {
    const machine = this.#machine();
    const offset = Date.parse(date ?? '') - machine;
    if (!(Math.abs(offset - this.#offset) > BEARABLE_SKEW)) return;
    const skew = skewSentence(date, machine);
    this.#offset = skew ? offset : 0;
    this.#correctedAt = performance.now();
    if (skew) this.#log?.('warning', `Requests are signed with the time of AWS: ${skew}`);
  }

  /** Whether it has been corrected after a moment (`performance.now()`). */
  wasCorrectedSince(moment: number): boolean {
    return this.#correctedAt > moment;
  }
}
