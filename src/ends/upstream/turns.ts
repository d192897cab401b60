/** Work that must be done in the order in which it came. */
export class Turns {
  #last: Promise<void> | undefined;

  /**
   * Settles, without an error, when the latest work is done or has been waited for long enough;
   * `undefined` when none is under way.
   */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /**
   * Begins work that everything later has to wait for; it waits itself for what was the last.
   *
   * @param patience Milliseconds after which others go on without it; none, if it is not given.
   */
  async take<T>(work: () => Promise<T>, patience?: number): Promise<T> {
    const done = work();
    let last = done.then(ignore, ignore);
    if (patience !== undefined) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, patience);
      });
      last = Promise.race([last, late]).then(() => clearTimeout(timer));
    }
    this.#last = last;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
    });
    return done;
  }
}

function ignore(): void {}
