import { spawn, spawnSync } from 'node:child_process';

const WINDOWS = process.platform === 'win32';

/** Whether a `detached` child leads a process group, which signals can address as a whole. */
export const HAS_PROCESS_GROUPS = !WINDOWS;

/**
 * Signals a child and all its descendants. Ignores groups that have already ended.
 *
 * Ids of 1 or less are ignored: they could address every process of the user.
 */
export function signalGroup(leader: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (leader === undefined || !Number.isSafeInteger(leader) || leader <= 1) return;
  if (WINDOWS) {
    // Windows has no SIGTERM. taskkill ends the whole process tree.
    spawn('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' }).on(
      'error',
      () => {},
    );
    return;
  }
  try {
    process.kill(-leader, signal);
  } catch {
    // The group has already ended.
  }
}

/** Kills the group synchronously, for process exit. */
export function killGroupNow(leader: number | undefined): void {
  if (WINDOWS && leader !== undefined && leader > 1) {
    spawnSync('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  signalGroup(leader, 'SIGKILL');
}
