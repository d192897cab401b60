/** The time source of the local runtime. Tests can replace it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds. Calling the returned function cancels it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    // Do not keep the process alive for a timer of a session. The listening socket keeps it alive.
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** A clock with an adjustable offset. The offset does not change timers. */
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
