import { settledWithin } from '../../relay/settled-within.ts';

/** Work that must be done in the order in which it came. */
export class Turns {
  #last: Promise<void> | undefined;
  /** The latest work that others wait for without a bound. */
  #unbounded: Promise<void> | undefined;

  /**
   * Settles, without an error, when the latest work is done or has been waited for long enough;
   * `undefined` when none is under way.
   */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /**
   * Does work once all earlier work is done or has been waited for; all later work waits for it.
   *
   * @param boundMs After which others go on without it; none, if it is not given. It is counted from
   *   the end of the last work without a bound, so several bounded ones do not add up.
   */
  take<T>(work: () => Promise<T>, boundMs?: number): Promise<T> {
    const before = this.#last;
    const done = before ? before.then(work) : work();
    const settled = done.then(ignore, ignore);
    const last =
      boundMs === undefined
        ? settled
        : (this.#unbounded ?? Promise.resolve()).then(() => settledWithin(done, boundMs));
    if (boundMs === undefined) this.#unbounded = settled;
    this.#last = last;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
      if (this.#unbounded === last) this.#unbounded = undefined;
    });
    return done;
  }
}

function ignore(): void {}
