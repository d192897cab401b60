import { waitUntilSettled } from '../../relay/settled-within.ts';

/** Runs tasks in order of arrival. */
export class TaskQueue {
  #last: Promise<void> | undefined;
  /** The latest task without a time limit. */
  #unbounded: Promise<void> | undefined;

  /**
   * Settles, without an error, when the latest task is done or its time limit is over; `undefined`
   * if no task is running.
   */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /**
   * Runs a task after all earlier tasks are done or out of time. Later tasks wait for it.
   *
   * @param boundMs Time after which later tasks continue without it; unlimited if omitted. Counted
   * from the end of the last unlimited task, so limits do not add up.
   */
  take<T>(work: () => Promise<T>, boundMs?: number): Promise<T> {
    const before = this.#last;
    const done = before ? before.then(work) : work();
    const settled = done.then(ignore, ignore);
    const last =
      boundMs === undefined
        ? settled
        : (this.#unbounded ?? Promise.resolve()).then(() => waitUntilSettled(done, boundMs));
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
