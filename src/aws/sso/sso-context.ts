import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../environment.ts';
import type { Network } from '../network.ts';

/** Current time and delays, in milliseconds. Tests replace it. */
export interface Clock {
  now(): number;
  /** Rejects with the signal's reason if the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** The environment of login operations. */
export interface SsoContext {
  readonly env: Environment;
  readonly network: Network;
  /** Default: the system clock. */
  readonly clock?: Clock;
}

const systemClock: Clock = {
  now: Date.now,
  async sleep(milliseconds, signal) {
    try {
      await sleep(milliseconds, undefined, { signal });
    } catch {
      throw signal.reason;
    }
  },
};

export function getClock({ clock = systemClock }: Pick<SsoContext, 'clock'>): Clock {
  return clock;
}
