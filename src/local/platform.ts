import type { Agent } from 'node:http';
import type { Clock } from './clock.ts';
import type { ResolvedConfig, RuntimeConfig } from './config.ts';
import type { Deliveries } from './deliveries.ts';
import type { LocalEvents } from './events.ts';
import type { Faults } from './faults.ts';
import type { RateLimit } from './invocations/rate-limit.ts';
import type { SessionTable } from './sessions/session-table.ts';
import type { AccessKeys } from './signatures/access-keys.ts';
import type { SigV4Verifier } from './signatures/sigv4-verifier.ts';

/** A runtime that is served: its settings and what it is doing. */
export interface ServedRuntime {
  readonly config: RuntimeConfig;
  readonly sessions: SessionTable;
  readonly invocationRate: RateLimit;
  readonly newSessionRate: RateLimit;
}

/** What the services share. */
export interface Platform {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly events: LocalEvents;
  readonly keys: AccessKeys;
  readonly verifier: SigV4Verifier;
  readonly faults: Faults;
  readonly deliveries: Deliveries;
  readonly runtimes: readonly ServedRuntime[];
  /** Keeps the connections to containers. */
  readonly containerAgent: Agent;
}
