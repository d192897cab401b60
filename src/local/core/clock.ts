/** Time source of the local runtime. Tests can replace it to control time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called first. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    // Only the listening socket keeps the process alive, not a session timer.
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** A clock with an adjustable offset. Timers are not affected. */
export class SkewedClock implements Clock {
  readonly #clock: Clock;
  /** Milliseconds ahead of `clock`. */
  skewMs: number;

  constructor(clock: Clock, skewMs: number) {
    this.#clock = clock;
    this.skewMs = skewMs;
  }

  now(): number {
    return this.#clock.now() + this.skewMs;
  }

  after(ms: number, run: () => void): () => void {
    return this.#clock.after(ms, run);
  }
}
