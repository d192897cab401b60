import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import type { RuntimeSession } from './runtime-session.ts';
import type { SessionStopper, StopOptions } from './stop-session.ts';

/** Stops sessions in the background, and knows when all of that is done. */
export class SessionEnding {
  readonly #options: StopOptions & { readonly log: Log };
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #stopper: Promise<SessionStopper> | undefined;

  constructor(options: StopOptions & { readonly log: Log }) {
    this.#options = options;
  }

  /** Begins to stop a session; one that no invoke has reached costs nothing and is left alone. */
  stop(session: RuntimeSession): void {
    if (!session.invoked) return;
    const work = this.#stop(session).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  /** Resolves when all are stopped, or after `milliseconds`. */
  async settled(milliseconds: number): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(new Error('no time left')), milliseconds);
    await Promise.all(this.#underWay);
    clearTimeout(timer);
  }

  async #stop(session: RuntimeSession): Promise<void> {
    try {
      // The SDK's client is loaded when the first session ends, not when the program begins.
      this.#stopper ??= import('./stop-session.ts').then(
        ({ SessionStopper: Stopper }) => new Stopper(this.#options),
      );
      await (await this.#stopper).stop(session, this.#abort.signal);
    } catch (thrown) {
      this.#options.log(
        'warning',
        `Could not stop session ${session.id}, which may cost until it is idle for long enough: ${messageOf(thrown)}`,
      );
    }
  }
}
