import type { Agent } from 'node:http';
import type { ResolvedConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { LocalEvents } from '../core/events.ts';
import type { Faults } from '../core/fault-injector.ts';
import type { Deliveries } from '../core/history.ts';
import type { AccessKeys } from '../identity/access-keys.ts';
import type { BearerVerifier } from '../identity/bearer-verifier.ts';
import type { SigV4Verifier } from '../identity/sigv4-verifier.ts';
import type { OAuth } from '../identity/token-issuer.ts';
import type { ServedRuntime } from '../invocations/invocation.ts';
import type { ServedGateway } from './gateway-targets.ts';

/** Dependencies shared by the services. */
export interface Platform {
  /** `http://127.0.0.1:PORT`. Empty until the server listens. */
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
