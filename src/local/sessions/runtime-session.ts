import { randomUUID } from 'node:crypto';
import type { RuntimeConfig } from '../config/schema.ts';
import { type Container, probeHealth } from '../containers/container.ts';
import type { Boot, ContainerFleet } from '../containers/container-fleet.ts';
import type { Clock } from '../core/clock.ts';
import type {
  LocalEvents,
  MicroVmRecord,
  SessionChange,
  SessionRecord,
  StopReason,
} from '../core/events.ts';
import type { Newest } from '../core/history.ts';

// Runtime sessions: the microVM of each, its timeouts, and the table of all sessions of a runtime.

interface SessionParts {
  readonly config: RuntimeConfig;
  readonly fleet: ContainerFleet;
  readonly clock: Clock;
  readonly events: LocalEvents;
  /** The records of microVMs, for tests. */
  readonly microVms: Newest<MicroVmRecord>;
}

/**
 * A runtime session: an id with one microVM at a time. After a stop, the next invocation revives it
 * with a new, empty microVM.
 */
export class RuntimeSession {
  readonly qualifier: string;
  readonly runtimeSessionId: string;
  #mcpSessionId: string | undefined;
  readonly #parts: SessionParts;
  #container: Container | undefined;
  #microVm: MicroVmRecord | undefined;
  /** A container that the session no longer uses. It is stopping, or continues after a stop. */
  #leaving: Container | undefined;
  #booting: Promise<Boot> | undefined;
  #restarting = false;
  #stopping: Promise<void> | undefined;
  #why: StopReason | undefined;
  #startedAt: number | undefined;
  #lastInvokedAt: number;
  #invocations = 0;
  #inFlight = 0;
  #incarnations = 0;
  #cancelIdle: (() => void) | undefined;
  #cancelLifetime: (() => void) | undefined;

  constructor(
    parts: SessionParts,
    ids: {
      readonly qualifier: string;
      readonly runtimeSessionId: string;
      readonly mcpSessionId: string | undefined;
    },
  ) {
    this.#parts = parts;
    this.qualifier = ids.qualifier;
    this.runtimeSessionId = ids.runtimeSessionId;
    this.#mcpSessionId = ids.mcpSessionId;
    this.#lastInvokedAt = parts.clock.now();
  }

  get mcpSessionId(): string | undefined {
    return this.#mcpSessionId;
  }

  set mcpSessionId(issued: string) {
    this.#mcpSessionId = issued;
    if (this.#microVm) this.#microVm.mcpSessionId = issued;
  }

  get stopped(): boolean {
    return this.#why !== undefined;
  }

  /** Whether the microVM is starting or stopping. */
  get changing(): boolean {
    return (this.#booting !== undefined && !this.#restarting) || this.#stopping !== undefined;
  }

  get record(): SessionRecord {
    const container = this.#container ?? this.#leaving;
    return {
      runtime: this.#parts.config.name,
      qualifier: this.qualifier,
      runtimeSessionId: this.runtimeSessionId,
      mcpSessionId: this.mcpSessionId,
      state: this.stopped ? 'Stopped' : this.#inFlight > 0 ? 'Active' : 'Idle',
      why: this.#why,
      pid: container?.pid,
      port: container?.port,
      startedAt: this.#startedAt,
      lastInvokedAt: this.#lastInvokedAt,
      invocations: this.#invocations,
      inFlight: this.#inFlight,
      incarnations: this.#incarnations,
    };
  }

  /**
   * Returns the container for one invocation, and starts one if necessary. If it succeeds, the
   * caller must call {@link release} afterwards.
   */
  async acquire(): Promise<Boot> {
    if (this.changing && this.#parts.config.switches.conflictWhileChanging) {
      return { ok: false, error: { kind: 'retryable-conflict', message: '' } };
    }
    this.#invocations += 1;
    this.#inFlight += 1;
    this.#lastInvokedAt = this.#parts.clock.now();
    this.#cancelIdle?.();
    this.#changed('invoked');
    while (this.#stopping) await this.#stopping;
    const boot = await this.#ready();
    if (!boot.ok) this.release();
    return boot;
  }

  release(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0 && !this.stopped) this.#armIdle();
    this.#changed('answered');
  }

  /** Stops the microVM. Returns false if none is running. */
  async stop(why: StopReason): Promise<boolean> {
    // While this caller waits, another one may start the microVM again.
    while (this.#booting) await this.#booting;
    const container = this.#container;
    if (!container) {
      await this.#stopping;
      return false;
    }
    const { config } = this.#parts;
    this.#detach(container, why);
    if (why === 'stop-runtime-session' && config.switches.containerOutlivesStop) {
      this.#changed('stopped');
      this.#outlive(container);
      return true;
    }
    const grace = why === 'microvm-killed' ? 0 : config.stopGrace;
    this.#stopping = container.end(grace).finally(() => {
      this.#stopping = undefined;
      this.#forget(container);
      this.#changed('stopped');
    });
    await this.#stopping;
    return true;
  }

  /**
   * Replaces the container within the microVM. Returns false if there is no container, or if the
   * new one does not start.
   */
  async restart(): Promise<boolean> {
    while (this.#booting) await this.#booting;
    const old = this.#container;
    if (!old) return false;
    this.#container = undefined;
    this.#restarting = true;
    this.#booting = old.end(0).then(() => this.#boot('restarted'));
    return (await this.#booting).ok;
  }

  /** Cancels the timers. */
  dispose(): void {
    this.#cancelIdle?.();
    this.#cancelLifetime?.();
  }

  #ready(): Promise<Boot> | Boot {
    if (this.#container) return { ok: true, container: this.#container };
    this.#booting ??= this.#boot(this.#incarnations === 0 ? 'started' : 'revived');
    return this.#booting;
  }

  async #boot(change: 'started' | 'revived' | 'restarted'): Promise<Boot> {
    const { config, clock, fleet } = this.#parts;
    const sameMicroVm = change === 'restarted';
    this.#changed('starting');
    const boot = await fleet.boot(config);
    this.#booting = undefined;
    this.#restarting = false;
    if (!sameMicroVm) this.#begin();
    if (!boot.ok) {
      this.#end('start-failed');
      this.#changed('stopped');
      return boot;
    }
    const { container } = boot;
    this.#container = container;
    this.#why = undefined;
    this.#incarnations += 1;
    if (!sameMicroVm) {
      this.#startedAt = clock.now();
      this.#cancelLifetime?.();
      this.#cancelLifetime = clock.after(config.maxLifetime * 1000, () => {
        void this.stop('max-lifetime');
      });
    }
    if (this.#inFlight === 0) this.#armIdle();
    void container.exit.then(() => this.#exited(container));
    this.#changed(change);
    return boot;
  }

  #exited(container: Container): void {
    // Ignore the exit of a container that the session no longer uses.
    if (this.#container !== container) return;
    if (this.#parts.config.switches.exitedContainer === 'restarts') {
      this.#container = undefined;
      this.#closeRecord('container-exited');
      return;
    }
    this.#detach(container, 'container-exited');
    this.#leaving = undefined;
    this.#changed('stopped');
  }

  #detach(container: Container, why: StopReason): void {
    this.#end(why);
    this.#container = undefined;
    this.#leaving = container;
    this.#cancelIdle?.();
    this.#cancelLifetime?.();
  }

  #begin(): void {
    const { config, clock, microVms } = this.#parts;
    const { qualifier, runtimeSessionId, mcpSessionId } = this;
    this.#microVm = {
      runtime: config.name,
      qualifier,
      runtimeSessionId,
      mcpSessionId,
      startedAt: clock.now(),
      endedAt: undefined,
      why: undefined,
    };
    microVms.add(this.#microVm);
  }

  #end(why: StopReason): void {
    this.#why = why;
    this.#closeRecord(why);
  }

  #closeRecord(why: StopReason): void {
    if (!this.#microVm) return;
    this.#microVm.endedAt = this.#parts.clock.now();
    this.#microVm.why = why;
    this.#microVm = undefined;
  }

  /** Ends the container only after its timeouts, although the stop has succeeded. */
  #outlive(container: Container): void {
    const { config, clock } = this.#parts;
    const lived = clock.now() - (this.#startedAt ?? clock.now());
    const left = Math.min(config.idleTimeout * 1000, config.maxLifetime * 1000 - lived);
    const cancel = clock.after(Math.max(0, left), () => void container.end(config.stopGrace));
    void container.exit.then(() => {
      cancel();
      this.#forget(container);
    });
  }

  #forget(container: Container): void {
    if (this.#leaving === container) this.#leaving = undefined;
  }

  #armIdle(): void {
    const { config, clock } = this.#parts;
    this.#cancelIdle?.();
    this.#cancelIdle = clock.after(config.idleTimeout * 1000, () => void this.#idle());
  }

  async #idle(): Promise<void> {
    const container = this.#container;
    if (!container || this.#inFlight > 0) return;
    // Only HTTP agents can report work in the background.
    const invocations = this.#invocations;
    const busy =
      this.#parts.config.protocol === 'HTTP' &&
      (await probeHealth(container.port)) === 'HealthyBusy';
    // A later invocation has restarted the idle timeout.
    if (this.#container !== container || this.#invocations !== invocations) return;
    if (!busy) {
      await this.stop('idle-timeout');
      return;
    }
    this.#armIdle();
    this.#changed('kept-busy');
  }

  #changed(change: SessionChange): void {
    this.#parts.events.emit(() => ({ type: 'session', change, session: this.record }));
  }
}

/**
 * Maximum number of sessions. Above it, the oldest stopped session is dropped. Its id then counts
 * as unknown. Before that, it counts as gone.
 */
const MAX_SESSIONS = 1000;

interface NewSession {
  readonly qualifier: string;
  /** The id that routes requests. `undefined` until a stateful server has issued one. */
  readonly routingId: string | undefined;
  readonly runtimeSessionId: string | undefined;
  readonly mcpSessionId: string | undefined;
}

/** The runtime sessions of one runtime, including stopped ones. */
export class SessionTable {
  readonly #parts: SessionParts;
  readonly #byRoute = new Map<string, RuntimeSession>();
  readonly #routesBySession = new Map<RuntimeSession, string[]>();

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  find(qualifier: string, routingId: string): RuntimeSession | undefined {
    return this.#byRoute.get(getRouteKey(qualifier, routingId));
  }

  open(ids: NewSession): RuntimeSession {
    const session = new RuntimeSession(this.#parts, {
      qualifier: ids.qualifier,
      runtimeSessionId: ids.runtimeSessionId ?? randomUUID(),
      mcpSessionId: ids.mcpSessionId,
    });
    this.#routesBySession.set(session, []);
    if (ids.routingId !== undefined) this.bind(session, ids.routingId);
    this.#forgetOldest();
    return session;
  }

  /** Routes requests with this id to the session. */
  bind(session: RuntimeSession, routingId: string): void {
    const key = getRouteKey(session.qualifier, routingId);
    if (this.#byRoute.get(key) === session) return;
    this.#byRoute.set(key, session);
    this.#routesBySession.get(session)?.push(key);
  }

  /** Oldest first. */
  all(): RuntimeSession[] {
    return [...this.#routesBySession.keys()];
  }

  records(): SessionRecord[] {
    return this.all().map((session) => session.record);
  }

  #forgetOldest(): void {
    if (this.#routesBySession.size <= MAX_SESSIONS) return;
    for (const [session, routes] of this.#routesBySession) {
      if (!session.stopped || session.changing) continue;
      for (const key of routes) {
        if (this.#byRoute.get(key) === session) this.#byRoute.delete(key);
      }
      session.dispose();
      this.#routesBySession.delete(session);
      return;
    }
  }
}

/** A space is a safe separator, because a qualifier contains none. */
function getRouteKey(qualifier: string, routingId: string): string {
  return `${qualifier} ${routingId}`;
}
