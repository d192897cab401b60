import type { Clock } from '../../../src/base/async.ts';

/**
 * A clock that advances only if a test advances it. A sleep returns at once, and its length is
 * recorded.
 */
export class StillTime implements Clock {
  readonly slept: number[] = [];
  time = Date.parse('2026-11-21T12:00:00Z');

  now(): number {
    return this.time;
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.slept.push(Math.round(milliseconds));
  }
}

/** A clock that advances by the length of each sleep. */
export class SleepersTime extends StillTime {
  override async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    await super.sleep(milliseconds, signal);
    this.time += milliseconds;
  }
}
