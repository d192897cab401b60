import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from './command.ts';

const graceMs = 2000;

/** Every process that the benchmark starts, so that none outlives it. */
export class Children {
  readonly #open = new Set<ChildProcess>();

  /** All three streams are pipes. */
  spawn(command: Command, env: NodeJS.ProcessEnv): ChildProcess {
    const options = { env, stdio: 'pipe', detached: canSignalGroups } as const;
    return this.#keep(
      'shell' in command
        ? spawn(command.shell, { ...options, shell: true })
        : spawn(command.file, command.args, options),
    );
  }

  /** One of the benchmark's own programs; it ends when the channel to its parent closes. */
  fork(program: string): ChildProcess {
    return this.#keep(fork(program, { execArgv: [], detached: canSignalGroups }));
  }

  /** Ends its input, as a client that goes away does, and kills it if that is not enough. */
  async end(child: ChildProcess): Promise<void> {
    await this.#leave(child, () => {
      child.stdin?.end();
      if (child.connected) child.disconnect();
    });
  }

  /** Sends SIGTERM, as to a server, and kills it if that is not enough. */
  async terminate(child: ChildProcess): Promise<void> {
    await this.#leave(child, () => child.kill('SIGTERM'));
  }

  killAll(): void {
    for (const child of this.#open) kill(child);
  }

  async #leave(child: ChildProcess, ask: () => void): Promise<void> {
    if (!this.#open.has(child)) return;
    const gone = once(child, 'exit');
    const timer = setTimeout(() => kill(child), graceMs);
    ask();
    await gone;
    clearTimeout(timer);
    // A wrapper can end before what it started does.
    kill(child);
  }

  #keep(child: ChildProcess): ChildProcess {
    this.#open.add(child);
    const forget = () => this.#open.delete(child);
    child.once('exit', forget);
    child.once('error', forget);
    return child;
  }
}

/** A group of its own lets a shell be killed together with what it started. */
const canSignalGroups = process.platform !== 'win32';

function kill(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    if (canSignalGroups) process.kill(-child.pid, 'SIGKILL');
    else child.kill('SIGKILL');
  } catch {
    // The whole group is gone.
  }
}
