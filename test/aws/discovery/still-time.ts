import type { Timing } from '../../../src/aws/discovery/timing.ts';

/** Time that passes only when a test says so. Whoever sleeps wakes at once, and that is noted. */
export class StillTime implements Timing {
  readonly slept: number[] = [];
  time = Date.parse('2026-11-21T12:00:00Z');

  now(): number {
    return this.time;
  }

  random(): number {
    return 1;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(Math.round(milliseconds));
  }
}

/** Time that passes as far as somebody sleeps. */
export class SleepersTime extends StillTime {
  override async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    await super.sleep(milliseconds, signal);
    this.time += milliseconds;
  }
}
