import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { ServedGateway } from './gateway.ts';
import { TargetLink } from './target-link.ts';

const MAX_SESSIONS = 1000;

/** One link to each target of a gateway, by target name. */
export type TargetLinks = ReadonlyMap<string, TargetLink>;

interface GatewaySession {
  /** The caller that opened the session. Other callers cannot use it. */
  readonly identity: string;
  readonly links: TargetLinks;
  readonly cancelExpiry: () => void;
}

/** The sessions of a gateway. Without sessions, all requests share one set of links. */
export class GatewaySessions {
  readonly #gateway: ServedGateway;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, GatewaySession>();
  readonly #shared: TargetLinks;

  constructor(gateway: ServedGateway, clock: Clock) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#shared = this.#newLinks();
  }

  get shared(): TargetLinks {
    return this.#shared;
  }

  /**
   * Opens a session and returns its id. It expires after `sessionTimeout`, regardless of activity.
   */
  open(identity: string): string {
    const id = randomUUID();
    const cancelExpiry = this.#clock.after(this.#gateway.config.sessionTimeout * 1000, () =>
      this.end(id),
    );
    this.#sessions.set(id, { identity, links: this.#newLinks(), cancelExpiry });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.end(oldest);
    return id;
  }

  /** `undefined` if the session does not exist, has expired, or belongs to another caller. */
  links(id: string, identity: string): TargetLinks | undefined {
    const session = this.#sessions.get(id);
    return session?.identity === identity ? session.links : undefined;
  }

  end(id: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    session.cancelExpiry();
    for (const link of session.links.values()) void link.close();
  }

  #newLinks(): TargetLinks {
    return new Map(this.#gateway.targets.map((target) => [target.name, new TargetLink(target)]));
  }
}
