import { setTimeout as pause } from 'node:timers/promises';
import { AgentCoreError } from '../../../src/base/errors.ts';

const intervalMs = 50;

/**
 * Polls for a value, and returns the first one that is neither undefined nor false.
 *
 * @throws AgentCoreError `timeout` after `maxMs`, with the name of the missing value from `what`.
 */
export async function until<T>(
  maxMs: number,
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const end = performance.now() + maxMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end) {
      throw new AgentCoreError('timeout', `${what}: not within ${maxMs / 1000} s`);
    }
    await pause(intervalMs);
  }
}
