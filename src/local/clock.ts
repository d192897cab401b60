/** Where the local runtime gets the time and its timers from, so that a test can hold the clock. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called first. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    // What keeps the program alive is its listening socket, never a session's timer.
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** A clock that goes wrong by as much as it is told, while its timers wait as long as they should. */
export class SkewedClock implements Clock {
  readonly #clock: Clock;
  /** How far ahead it is. */
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
