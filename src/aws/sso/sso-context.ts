import { setTimeout as sleep } from 'node:timers/promises';
import type { Environment } from '../../environment.ts';
import type { Network } from '../network.ts';

/** The time of day in milliseconds, and how to let it pass. */
export interface Clock {
  now(): number;
  /** Rejects with the signal's reason where that aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

/** What everything about a login takes from the machine it runs on. */
export interface SsoContext {
  readonly env: Environment;
  readonly network: Network;
  /** Default: the system's. */
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

export function clockOf({ clock = systemClock }: Pick<SsoContext, 'clock'>): Clock {
  return clock;
}
