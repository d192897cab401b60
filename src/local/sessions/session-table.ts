import { randomUUID } from 'node:crypto';
import { RuntimeSession, type SessionParts } from './runtime-session.ts';
import type { SessionRecord } from './session-record.ts';

/**
 * Maximum number of sessions. Above it, the oldest stopped one is dropped. Until then, its id
 * counts as gone instead of unknown.
 */
const MAX_STOPPED = 1000;

interface NewSession {
  readonly qualifier: string;
  /** The routing id of requests; `undefined` until a stateful server has issued one. */
  readonly routingId: string | undefined;
  readonly runtimeSessionId: string | undefined;
  readonly mcpSessionId: string | undefined;
}

/** The runtime sessions of one runtime, running and stopped. */
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

  /** Routes requests with this id to this session. */
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
    if (this.#routesBySession.size <= MAX_STOPPED) return;
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

/** A space is a safe separator, because qualifiers contain none. */
function getRouteKey(qualifier: string, routingId: string): string {
  return `${qualifier} ${routingId}`;
}
