import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error.ts';
import type { Log } from '../log.ts';
import { type CommonOrigin, RuntimeSession, type SessionJournal } from './runtime-session.ts';
import type { SessionStopper, StopOptions } from './stop-session.ts';

/** Milliseconds in which an attempt that is given up notices that. */
const LAST_WORDS = 200;
/** Its microVM may go by an id that was never learnt, so that none by the one sent proves nothing. */
const UNKNOWN = 'AgentCore knows no session by the id that was sent, and its own was never learnt';

/** Sessions of earlier handshakes that are remembered, to be stopped at the end. */
const MOST_SUPERSEDED = 100;

export interface SessionRegisterOptions {
  readonly origin: CommonOrigin;
  readonly journal: SessionJournal;
  /** What stops them. */
  readonly stop: StopOptions;
  /** Takes what the journal has in a session's record. */
  readonly say: Log;
}

/** The runtime sessions of this process: what begins one puts it on record, what ends one stops it. */
export class SessionRegister {
  readonly #options: SessionRegisterOptions;
  readonly #abort = new AbortController();
  readonly #open = new Set<RuntimeSession>();
  readonly #successors = new Map<RuntimeSession, RuntimeSession>();
  readonly #stopping = new Set<Promise<void>>();
  #stopper: Promise<SessionStopper> | undefined;

  constructor(options: SessionRegisterOptions) {
    this.#options = options;
  }

  /** A session that is about to be used; it costs nothing before its first invoke. */
  begin(id: string): RuntimeSession {
    const { origin, journal } = this.#options;
    const session = new RuntimeSession(id, origin, journal);
    this.#open.add(session);
    return session;
  }

  /** Begins to stop a session that no further request will use, as soon as its calls are over. */
  end(session: RuntimeSession): void {
    this.#track(session.idle().then(() => this.#stop(session)));
  }

  /**
   * Keeps a session, which another one follows under the same runtime session id, until the end:
   * depending on how AgentCore routes, what stops the one could stop the other.
   */
  supersede(session: RuntimeSession, successor: RuntimeSession): void {
    this.#successors.set(session, successor);
    if (this.#successors.size <= MOST_SUPERSEDED) return;
    const oldest = this.#successors.keys().next().value as RuntimeSession;
    this.#successors.delete(oldest);
    this.#open.delete(oldest);
  }

  /** Loads what stopping takes, as long as there is time for it. */
  prepareToStop(): void {
    if ([...this.#open].some(({ mayRun }) => mayRun)) void this.#load().catch(() => undefined);
  }

  /** Stops all that are open, whatever their calls do. */
  endAll(): void {
    for (const session of this.#open) this.#track(this.#stop(session));
  }

  /** Lets a session go on without this process. */
  leave(session: RuntimeSession): void {
    if (this.#open.delete(session) && session.mayRun) session.left();
  }

  leaveAll(): void {
    for (const session of this.#open) this.leave(session);
  }

  /** Resolves when all that were ended are stopped, or after `milliseconds`. */
  async settled(milliseconds: number): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(new Error('no time left')), milliseconds);
    const aborted = new Promise((resolve) =>
      this.#abort.signal.addEventListener('abort', resolve, { once: true }),
    );
    const stopped = Promise.all(this.#stopping);
    await Promise.race([stopped, aborted]);
    clearTimeout(timer);
    // What was given up has to be put on record yet.
    if (this.#abort.signal.aborted) await Promise.race([stopped, delay(LAST_WORDS)]);
  }

  /** The SDK's client is loaded when the first session ends, not when the program begins. */
  #load(): Promise<SessionStopper> {
    this.#stopper ??= import('./stop-session.ts').then(
      ({ SessionStopper: Stopper }) => new Stopper(this.#options.stop),
      (thrown) => {
        this.#stopper = undefined;
        throw thrown;
      },
    );
    return this.#stopper;
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#stopping.delete(tracked));
    this.#stopping.add(tracked);
  }

  /** The first of those that follow it that may run, and so is stopped under the ids they share. */
  #heirOf(session: RuntimeSession): RuntimeSession | undefined {
    let heir = this.#successors.get(session);
    while (heir && !heir.mayRun) heir = this.#successors.get(heir);
    return heir;
  }

  async #stop(session: RuntimeSession): Promise<void> {
    if (!this.#open.delete(session) || !session.mayRun) return;
    const shared = this.#heirOf(session)?.stopIds ?? [];
    const ids = session.stopIds.filter((id) => !shared.includes(id));
    if (ids.length === 0) return session.left();
    try {
      const { wasGone } = await (await this.#load()).stop(ids, this.#abort.signal);
      if (wasGone && !session.isIdentified) throw new Error(UNKNOWN);
      session.stopped(wasGone);
    } catch (thrown) {
      const reason = messageOf(thrown);
      session.stopFailed(reason);
      // Tried once more when the program ends.
      this.#open.add(session);
      this.#options.say(
        'warning',
        `Could not stop session ${session.id}, which may cost until it is idle for long enough: ${reason}`,
      );
    }
  }
}
