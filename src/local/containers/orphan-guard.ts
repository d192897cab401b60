import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { HAS_PROCESS_GROUPS } from './container.ts';

/**
 * Reads `+ PID` and `- PID` lines. When its input ends, it kills the remaining process groups. The
 * input also ends if the local runtime is killed and cannot clean up itself. One-digit ids are
 * ignored: they never belong to a child, and `kill -- -1` would kill every process of the user.
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
 * A small shell that kills the containers if the local runtime is killed with SIGKILL. On Windows
 * there is no such shell: these containers run until they notice the end of their stdin.
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
   * Resolves when the shell has killed the remaining process groups and exited, at the latest after
   * `EXIT_MS`.
   */
  async close(): Promise<void> {
    const shell = this.#shell;
    if (!shell || shell.exitCode !== null || shell.signalCode !== null) return;
    // The shell was unreferenced until now. This wait must keep the event loop alive.
    shell.ref();
    const exited = once(shell, 'exit', { signal: AbortSignal.timeout(EXIT_MS) });
    shell.stdin?.end();
    await exited.catch(() => shell.kill('SIGKILL'));
  }
}

function startShell(): ChildProcess {
  // In its own process group, so signals to the local runtime's group do not end it.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell, the local runtime still ends its containers on a normal shutdown.
  shell.on('error', () => {});
  shell.stdin?.on('error', () => {});
  shell.unref();
  return shell;
}
