/** Work that must be done in the order in which it came. */
export class Turns {
  #last: Promise<void> | undefined;

  /** Settles, without an error, when the latest work is done; `undefined` when none is under way. */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /** Begins work that everything later has to wait for; it waits itself for what was the last. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const done = work();
    const last = done.then(
      () => undefined,
      () => undefined,
    );
    this.#last = last;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    return done;
  }
}
