import { spawn, spawnSync } from 'node:child_process';

const WINDOWS = process.platform === 'win32';

/** Whether a child started as `detached` leads a process group that can be signalled as one. */
export const HAS_PROCESS_GROUPS = !WINDOWS;

/**
 * Signals a child and whatever it started. One that is gone is left alone.
 *
 * A process id of 1 or less would address every process of the user, so it is never passed on.
 */
export function signalGroup(leader: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (leader === undefined || !Number.isSafeInteger(leader) || leader <= 1) return;
  if (WINDOWS) {
    // Windows has no signal to ask with: taskkill ends the tree.
    spawn('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' }).on(
      'error',
      () => {},
    );
    return;
  }
  try {
    process.kill(-leader, signal);
  } catch {
    // The group has ended by itself.
  }
}

/** The same, done when it returns: for a program's last moment. */
export function killGroupNow(leader: number | undefined): void {
  if (WINDOWS && leader !== undefined && leader > 1) {
    spawnSync('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  signalGroup(leader, 'SIGKILL');
}
