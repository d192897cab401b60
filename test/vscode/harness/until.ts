import { setTimeout as pause } from 'node:timers/promises';
import { AgentCoreError } from '../../../src/error.ts';

const intervalMs = 50;

/**
 * Asks again and again for what gives no sign when it is there, and gives the first value that is
 * neither undefined nor false.
 * @throws AgentCoreError `timeout` after `maxMs`, saying that `what` did not come.
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
