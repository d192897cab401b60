import { waitUntilSettled } from '../base/async.ts';
import type { Log } from '../base/logger.ts';
import { type CommonOrigin, RuntimeSession, type SessionJournal } from './runtime-session.ts';
import {
  STOP_TIMEOUT_MS,
  type StopResult,
  type StopTarget,
  stopSession,
  UNKNOWN_ID_REASON,
} from './stop-session.ts';

/** Maximum time until aborted messages have ended, in milliseconds. */
const ABORTED_CALLS_TIMEOUT_MS = 200;

/** Milliseconds for aborted stops to fail and to be recorded. */
const ABORTED_STOP_TIMEOUT_MS = 200;

/** Maximum number of superseded sessions to stop when the program ends. */
const MAX_SUPERSEDED = 100;

interface SessionManagerOptions {
  readonly origin: CommonOrigin;
  readonly journal: SessionJournal;
  readonly stopTarget: StopTarget;
  /** Logs failed stops. The journal has them in the session's records. */
  readonly say: Log;
}

/** Shared by sessions if they are stopped together. */
interface StopBatch {
  /** The stop of each id. */
  readonly stops: Map<string, Promise<StopResult>>;
  /** Warnings already logged. Each is logged once. */
  readonly warnings: Set<string>;
}

/** Starts and stops the runtime sessions of this process. */
export class SessionManager {
  readonly #options: SessionManagerOptions;
  readonly #abort = new AbortController();
  readonly #open = new Set<RuntimeSession>();
  readonly #superseded = new Set<RuntimeSession>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(options: SessionManagerOptions) {
    this.#options = options;
  }

  /** Creates a session without any request. It costs nothing before its first invoke. */
  begin(id: string): RuntimeSession {
    const { origin, journal } = this.#options;
    const session = new RuntimeSession(id, origin, journal);
    this.#open.add(session);
    return session;
  }

  /** Stops a session when its calls have ended. No further request may use it. */
  end(session: RuntimeSession): void {
    this.#track(
      session.idle().then(() => {
        session.close();
        return this.#stop(session, createStopBatch());
      }),
    );
  }

  /**
   * Keeps a session until the program ends, because a new session uses the same runtime session id.
   * Depending on how AgentCore routes, stopping the old one could stop the new one.
   */
  supersede(session: RuntimeSession): void {
    this.#superseded.add(session);
    if (this.#superseded.size <= MAX_SUPERSEDED) return;
    const [oldest] = this.#superseded;
    this.#superseded.delete(oldest as RuntimeSession);
    this.#open.delete(oldest as RuntimeSession);
  }

  /** Releases a session without stopping it. Records it as kept on purpose. */
  leave(session: RuntimeSession): void {
    if (this.#open.delete(session) && session.mayRun) session.left();
  }

  /**
   * Stops all open sessions if `stop` is true, and releases them otherwise. Aborts their messages if
   * it stops them. Resolves when all stops have ended. Aborts the stops after `timeoutMs`.
   */
  async shutdown({
    stop,
    timeoutMs,
  }: {
    readonly stop: boolean;
    readonly timeoutMs: number;
  }): Promise<void> {
    if (stop) this.#stopAll();
    else for (const session of this.#open) this.leave(session);
    const stopped = Promise.allSettled(this.#stopping);
    await waitUntilSettled(stopped, timeoutMs);
    this.#abort.abort(new Error('the program had to end'));
    // Aborted stops must still be recorded.
    await waitUntilSettled(stopped, ABORTED_STOP_TIMEOUT_MS);
  }

  #stopAll(): void {
    // If sessions share an id, the newest one tries it. Older ones use the same result.
    const sessions = [...this.#open].reverse();
    for (const session of sessions) session.close();
    const batch = createStopBatch();
    // The stop must be the last request of a session.
    const idle = Promise.all(sessions.map((session) => session.idle()));
    const ended = waitUntilSettled(idle, ABORTED_CALLS_TIMEOUT_MS);
    for (const session of sessions) this.#track(ended.then(() => this.#stop(session, batch)));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#stopping.delete(tracked));
    this.#stopping.add(tracked);
  }

  async #stop(session: RuntimeSession, batch: StopBatch): Promise<void> {
    if (!this.#open.delete(session) || !session.mayRun) return;
    const own = session.stopIds.filter((id) => !batch.stops.has(id));
    const shared = session.stopIds.filter((id) => batch.stops.has(id));
    const ofOwn = await this.#stopAny(own, batch);
    // The microVM may have a shared id, and the stop of that id may fail.
    const result = ofOwn.how === 'gone' ? await this.#stopAny(shared, batch) : ofOwn;
    if (result.how === 'failed') this.#stopFailed(session, result.reason, batch);
    else if (result.how === 'gone' && !session.isIdentified)
      this.#stopFailed(session, UNKNOWN_ID_REASON, batch);
    else session.stopped((own.length > 0 ? ofOwn : result).how === 'gone');
  }

  #stopFailed(session: RuntimeSession, reason: string, batch: StopBatch): void {
    session.stopFailed(reason);
    // The shutdown tries again.
    this.#open.add(session);
    const warning = `Could not stop session ${session.id}, which may cost until it is idle for long enough: ${reason}`;
    if (batch.warnings.has(warning)) return;
    batch.warnings.add(warning);
    this.#options.say('warning', warning);
  }

  /** Tries the ids in order until AgentCore finds a session. The likelier id comes first. */
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
