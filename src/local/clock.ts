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
