import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { AgentCoreError } from '../../../src/base/errors.ts';

/**
 * Runs `work` while no other process does so with the same lock file. The lock belongs to the open
 * file, so the kernel releases it when this process ends in any way, and none is ever left behind.
 *
 * @throws AgentCoreError `timeout` if another process holds it for that long.
 */
export async function whileLocked<T>(
  file: string,
  maxMinutes: number,
  work: () => Promise<T>,
): Promise<T> {
  const opened = openSync(file, 'a');
  try {
    // flock(1) of util-linux locks the file that it receives as descriptor 3.
    const args = ['--timeout', String(maxMinutes * 60), '3'];
    const flock = spawn('flock', args, { stdio: ['ignore', 'inherit', 'inherit', opened] });
    const [code] = await once(flock, 'exit');
    if (code !== 0) {
      throw new AgentCoreError('timeout', `${file} is held by another process; end that one first`);
    }
    return await work();
  } finally {
    closeSync(opened);
  }
}
