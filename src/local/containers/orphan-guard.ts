import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { HAS_PROCESS_GROUPS } from './process-group.ts';

/**
 * Reads `+ PID` and `- PID` lines, and kills the groups that remain when its input ends, which it
 * also does when the local runtime is killed and can do nothing itself. Ids of one digit never
 * come from a child, and `-1` would be every process of the user.
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
 * A small shell that outlives a SIGKILLed local runtime just long enough to end its containers.
 * Windows has no shell for it: there, containers of a killed local runtime stay until their stdin,
 * which ends, makes them leave.
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

  /** Resolves once the shell is gone, and what it still watched with it. */
  async close(): Promise<void> {
    const shell = this.#shell;
    if (!shell || shell.exitCode !== null || shell.signalCode !== null) return;
    // It kept nobody waiting until now; this wait has to be one that the program lives for.
    shell.ref();
    const exited = once(shell, 'exit', { signal: AbortSignal.timeout(EXIT_MS) });
    shell.stdin?.end();
    await exited.catch(() => shell.kill('SIGKILL'));
  }
}

function startShell(): ChildProcess {
  // A group of its own, so that a signal to the local runtime's group leaves it standing.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no guard; the containers are ended by the local runtime as always.
  shell.on('error', () => {});
  shell.stdin?.on('error', () => {});
  shell.unref();
  return shell;
}
