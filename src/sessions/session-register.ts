import { once } from 'node:events';
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

/** What sessions that are stopped together share. */
interface Round {
  /** Attempts to stop the session of an id, by the id: whether there was one. */
  readonly attempts: Map<string, Promise<boolean>>;
  readonly warnings: Set<string>;
}

/** The runtime sessions of this process: what begins one puts it on record, what ends one stops it. */
export class SessionRegister {
  readonly #options: SessionRegisterOptions;
  readonly #abort = new AbortController();
  readonly #open = new Set<RuntimeSession>();
  readonly #superseded = new Set<RuntimeSession>();
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
    this.#track(session.idle().then(() => this.#stop(session, newRound())));
  }

  /**
   * Keeps a session, which another one follows under the same runtime session id, until the end:
   * depending on how AgentCore routes, what stops the one could stop the other.
   */
  supersede(session: RuntimeSession): void {
    this.#superseded.add(session);
    if (this.#superseded.size <= MOST_SUPERSEDED) return;
    const [oldest] = this.#superseded;
    this.#superseded.delete(oldest as RuntimeSession);
    this.#open.delete(oldest as RuntimeSession);
  }

  /** Loads what stopping takes, as long as there is time for it. */
  prepareToStop(): void {
    if ([...this.#open].some(({ mayRun }) => mayRun)) void this.#load().catch(() => undefined);
  }

  /** Stops all that are open, whatever their calls do. */
  endAll(): void {
    const round = newRound();
    // An id that several have is tried by the newest one, as its likeliest; older ones share the outcome.
    for (const session of [...this.#open].reverse()) this.#track(this.#stop(session, round));
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

  async #stop(session: RuntimeSession, round: Round): Promise<void> {
    if (!this.#open.delete(session) || !session.mayRun) return;
    const own = session.stopIds.filter((id) => !round.attempts.has(id));
    const shared = session.stopIds.filter((id) => round.attempts.has(id));
    try {
      const isStopped = await this.#stopAny(own, round);
      // Its microVM may go by an id that it shares, of which the stop may fail.
      const isStoppedAsShared = !isStopped && (await this.#stopAny(shared, round));
      if (!isStopped && !isStoppedAsShared && !session.isIdentified) throw new Error(UNKNOWN);
      session.stopped(own.length > 0 ? !isStopped : !isStoppedAsShared);
    } catch (thrown) {
      const reason = messageOf(thrown);
      session.stopFailed(reason);
      // Tried once more when the program ends.
      this.#open.add(session);
      const warning = `Could not stop session ${session.id}, which may cost until it is idle for long enough: ${reason}`;
      if (round.warnings.has(warning)) return;
      round.warnings.add(warning);
      this.#options.say('warning', warning);
    }
  }

  /** Whether there was a session by one of these ids, the likelier one first, and it is stopped. */
  async #stopAny(ids: readonly string[], { attempts }: Round): Promise<boolean> {
    for (const id of ids) {
      const attempt = attempts.get(id) ?? this.#stopById(id);
      attempts.set(id, attempt);
      if (await attempt) return true;
    }
    return false;
  }

  async #stopById(id: string): Promise<boolean> {
    const { signal } = this.#abort;
    signal.throwIfAborted();
    // What is given up while the client loads has to be put on record as well.
    const loaded = new AbortController();
    const aborted = once(signal, 'abort', { signal: loaded.signal }).then(() => {
      throw signal.reason;
    });
    const stopper = await Promise.race([this.#load(), aborted]).finally(() => loaded.abort());
    const { wasGone } = await stopper.stop([id], signal);
    return !wasGone;
  }
}

function newRound(): Round {
  return { attempts: new Map(), warnings: new Set() };
}
