import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { AgentCoreError } from '../../../src/error.ts';

/**
 * Runs `work` while no other process does so under the same lock file. The lock belongs to the open
 * file, so the kernel takes it back however this process ends, and none is ever left behind.
 * @throws AgentCoreError `timeout` when another one has held it for that long.
 */
export async function whileLocked<T>(
  file: string,
  maxMinutes: number,
  work: () => Promise<T>,
): Promise<T> {
  const opened = openSync(file, 'a');
  try {
    // flock(1) of util-linux locks the file that it is handed as its descriptor 3, which is ours.
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
