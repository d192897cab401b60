import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../base/logger.ts';
import { type CommonOrigin, RuntimeSession, type SessionJournal } from './runtime-session.ts';
import { STOP_TIMEOUT_MS, type StopResult, type StopTarget, stopSession } from './stop-session.ts';

/** Maximum time until aborted messages have ended, in milliseconds. */
const ABORTED_END_MS = 200;

/** Milliseconds in which an attempt that is given up notices that. */
const LAST_WORDS = 200;

/** Its microVM may go by an id that was never learnt, so that none by the one sent proves nothing. */
const UNKNOWN = 'AgentCore knows no session by the id that was sent, and its own was never learnt';

/** Sessions of earlier handshakes that are remembered, to be stopped at the end. */
const MAX_SUPERSEDED = 100;

interface SessionManagerOptions {
  readonly origin: CommonOrigin;
  readonly journal: SessionJournal;
  readonly stopTarget: StopTarget;
  /** Takes what the journal has in a session's record. */
  readonly say: Log;
}

/** What sessions that are stopped together share. */
interface StopBatch {
  /** The stop of each id. */
  readonly stops: Map<string, Promise<StopResult>>;
  readonly warnings: Set<string>;
}

/** The runtime sessions of this process: what begins one puts it on record, what ends one stops it. */
export class SessionManager {
  readonly #options: SessionManagerOptions;
  readonly #abort = new AbortController();
  readonly #open = new Set<RuntimeSession>();
  readonly #superseded = new Set<RuntimeSession>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(options: SessionManagerOptions) {
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
    this.#track(
      session.idle().then(() => {
        session.close();
        return this.#stop(session, createStopBatch());
      }),
    );
  }

  /**
   * Keeps a session, which another one follows under the same runtime session id, until the end:
   * depending on how AgentCore routes, what stops the one could stop the other.
   */
  supersede(session: RuntimeSession): void {
    this.#superseded.add(session);
    if (this.#superseded.size <= MAX_SUPERSEDED) return;
    const [oldest] = this.#superseded;
    this.#superseded.delete(oldest as RuntimeSession);
    this.#open.delete(oldest as RuntimeSession);
  }

  /** Aborts the messages of all open sessions and stops the sessions. */
  endAll(): void {
    // An id that several have is tried by the newest one, as its likeliest; older ones share the outcome.
    const sessions = [...this.#open].reverse();
    for (const session of sessions) session.close();
    const round = createStopBatch();
    // The stop must be the last request of a session.
    const ended = Promise.race([
      Promise.all(sessions.map((session) => session.idle())),
      delay(ABORTED_END_MS, undefined, { ref: false }),
    ]);
    for (const session of sessions) this.#track(ended.then(() => this.#stop(session, round)));
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
    const timer = setTimeout(
      () => this.#abort.abort(new Error('the program had to end')),
      milliseconds,
    );
    const aborted = new Promise((resolve) =>
      this.#abort.signal.addEventListener('abort', resolve, { once: true }),
    );
    const stopped = Promise.all(this.#stopping);
    await Promise.race([stopped, aborted]);
    clearTimeout(timer);
    // What was given up has to be put on record yet.
    if (this.#abort.signal.aborted) await Promise.race([stopped, delay(LAST_WORDS)]);
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#stopping.delete(tracked));
    this.#stopping.add(tracked);
  }

  async #stop(session: RuntimeSession, round: StopBatch): Promise<void> {
    if (!this.#open.delete(session) || !session.mayRun) return;
    const own = session.stopIds.filter((id) => !round.stops.has(id));
    const shared = session.stopIds.filter((id) => round.stops.has(id));
    const ofOwn = await this.#stopAny(own, round);
    // Its microVM may have an id that it shares, and the stop of that id may fail.
    const result = ofOwn.how === 'gone' ? await this.#stopAny(shared, round) : ofOwn;
    if (result.how === 'failed') this.#stopFailed(session, result.reason, round);
    else if (result.how === 'gone' && !session.isIdentified)
      this.#stopFailed(session, UNKNOWN, round);
    else session.stopped((own.length > 0 ? ofOwn : result).how === 'gone');
  }

  #stopFailed(session: RuntimeSession, reason: string, round: StopBatch): void {
    session.stopFailed(reason);
    // Tried once more when the program ends.
    this.#open.add(session);
    const warning = `Could not stop session ${session.id}, which may cost until it is idle for long enough: ${reason}`;
    if (round.warnings.has(warning)) return;
    round.warnings.add(warning);
    this.#options.say('warning', warning);
  }

  /** Stops the session of the first id that AgentCore knows. The likelier id comes first. */
  async #stopAny(ids: readonly string[], { stops }: StopBatch): Promise<StopResult> {
    const { signal } = this.#abort;
    for (const id of ids) {
      const stop =
        stops.get(id) ??
        stopSession(this.#options.stopTarget, [id], { signal, timeoutMs: STOP_TIMEOUT_MS });
      stops.set(id, stop);
      const result = await stop;
      if (result.how !== 'gone') return result;
    }
    return { how: 'gone' };
  }
}

function createStopBatch(): StopBatch {
  return { stops: new Map(), warnings: new Set() };
}
