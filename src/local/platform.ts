import type { Agent } from 'node:http';
import type { BearerVerifier } from './authorization/bearer-verifier.ts';
import type { Clock } from './clock.ts';
import type { ResolvedConfig, RuntimeConfig } from './config.ts';
import type { Deliveries } from './deliveries.ts';
import type { LocalEvents } from './events.ts';
import type { Faults } from './faults.ts';
import type { ServedGateway } from './gateways/gateway.ts';
import type { RateLimit } from './invocations/rate-limit.ts';
import type { OAuth } from './oauth/oauth.ts';
import type { SessionTable } from './sessions/session-table.ts';
import type { AccessKeys } from './signatures/access-keys.ts';
import type { SigV4Verifier } from './signatures/sigv4-verifier.ts';

/** A running runtime: its settings and its state. */
export interface ServedRuntime {
  readonly config: RuntimeConfig;
  readonly sessions: SessionTable;
  readonly invocationRate: RateLimit;
  readonly newSessionRate: RateLimit;
}

/** Dependencies shared by the services. */
export interface Platform {
  /** `http://127.0.0.1:PORT`; empty until the server listens. */
  readonly url: string;
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly events: LocalEvents;
  readonly keys: AccessKeys;
  readonly verifier: SigV4Verifier;
  readonly oauth: OAuth;
  readonly bearer: BearerVerifier;
  readonly faults: Faults;
  readonly deliveries: Deliveries;
  readonly runtimes: readonly ServedRuntime[];
  readonly gateways: readonly ServedGateway[];
  /** Reuses connections to containers. */
  readonly containerAgent: Agent;
}
