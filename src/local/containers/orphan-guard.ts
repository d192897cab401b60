import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { HAS_PROCESS_GROUPS } from './container.ts';

/**
 * The script reads lines `+ PID` and `- PID`. When its stdin closes, it kills the remaining process
 * groups. stdin also closes if the local runtime is killed. Ids with one digit are ignored: no
 * child has such an id, and `kill -- -1` would kill all processes of the user.
 */
const SCRIPT = `
groups=
while read -r change id; do
  case $id in ''|?|*[!0-9]*) continue;; esac
  case $change in
    +) groups="$groups $id";;
    -) rest=; for group in $groups; do [ "$group" = "$id" ] || rest="$rest $group"; done; groups=$rest;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
exit 0
`;

const EXIT_MS = 2000;

/**
 * A shell process that kills the containers if the local runtime is killed by SIGKILL. There is
 * none on Windows: the containers run until they detect that their stdin is closed.
 */
export class OrphanGuard {
  #shell: ChildProcess | undefined;

  watch(group: number): void {
    if (!HAS_PROCESS_GROUPS) return;
    this.#shell ??= startShell();
    this.#shell.stdin?.write(`+ ${group}\n`);
  }

  unwatch(group: number): void {
    this.#shell?.stdin?.write(`- ${group}\n`);
  }

  /**
   * Resolves when the shell has killed the remaining process groups and exited. Kills the shell
   * after `EXIT_MS`.
   */
  async close(): Promise<void> {
    const shell = this.#shell;
    if (!shell || shell.exitCode !== null || shell.signalCode !== null) return;
    // Until now, the shell did not keep the event loop alive. For this wait, it must.
    shell.ref();
    const exited = once(shell, 'exit', { signal: AbortSignal.timeout(EXIT_MS) });
    shell.stdin?.end();
    await exited.catch(() => shell.kill('SIGKILL'));
  }
}

function startShell(): ChildProcess {
  // In its own process group, so signals to the group of the local runtime do not reach it.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without the shell, the local runtime still stops its containers on a normal exit.
  shell.on('error', () => {});
  shell.stdin?.on('error', () => {});
  shell.unref();
  return shell;
}
