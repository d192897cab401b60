import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import type { RuntimeConfig } from '../config.ts';
import { HAS_PROCESS_GROUPS, killGroupNow, signalGroup } from './process-group.ts';

/** Maximum wait for a process to exit after SIGKILL. The kernel decides the actual time. */
const KILLED_MS = 3000;

const MAX_LINE = 4096;

const TAIL_LINES = 20;

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

interface ContainerHooks {
  output(container: Container, line: string): void;
  /** Called when the process has exited, for any reason. */
  exited(container: Container, exit: ContainerExit): void;
}

/** The process of one microVM: the command of a runtime on its own port. */
export class Container {
  readonly runtime: string;
  readonly port: number;
  /** `undefined` if the command could not be started. */
  readonly pid: number | undefined;
  readonly startedAt: number;
  /** Resolves when the process has exited. */
  readonly exit: Promise<ContainerExit>;
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  #exited = false;
  #ending: Promise<void> | undefined;

  constructor(config: RuntimeConfig, port: number, clock: Clock, hooks: ContainerHooks) {
    this.runtime = config.name;
    this.port = port;
    this.startedAt = clock.now();
    const withPort = (text: string) => text.replaceAll('{port}', String(port));
    const [program = '', ...args] = config.command.map(withPort);
    const env = Object.fromEntries(
      Object.entries(config.env).map(([name, value]) => [name, withPort(value)]),
    );
    this.#child = spawn(program, args, {
      cwd: config.cwd,
      env: { ...process.env, HOST: '127.0.0.1', ...env, PORT: env.PORT ?? String(port) },
      detached: HAS_PROCESS_GROUPS,
      // stdin closes when this process ends, even after a crash. Servers can then exit themselves.
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.pid = this.#child.pid;
    this.#child.stdin?.on('error', () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) this.#follow(stream, hooks);
    }
    this.exit = new Promise((resolve) => {
      const gone = (exit: ContainerExit) => {
        if (this.#exited) return;
        this.#exited = true;
        // Also kill leftover descendants of the command.
        if (HAS_PROCESS_GROUPS) signalGroup(this.pid, 'SIGKILL');
        this.#child.stdin?.destroy();
        hooks.exited(this, exit);
        resolve(exit);
      };
      this.#child.on('exit', (code, signal) => gone({ code, signal }));
      this.#child.on('error', (error) => {
        // Node names the program in its error even if the folder is missing.
        const cwdGone = config.cwd !== undefined && !existsSync(config.cwd);
        this.#remember(cwdGone ? `no such folder: ${config.cwd}` : `${program}: ${error.message}`);
        // No `exit` event follows if the command could not start. One follows if only a signal
        // failed.
        if (this.pid === undefined) gone({ code: null, signal: null });
      });
    });
  }

  get running(): boolean {
    return !this.#exited;
  }

  get ending(): boolean {
    return this.#ending !== undefined;
  }

  /** The last lines of output, to explain a failed start. */
  get lastLines(): string {
    return this.#tail.join('\n');
  }

  /**
   * Sends SIGTERM, then SIGKILL after `graceMs`. Resolves when the process has exited, or
   * `KILLED_MS` after SIGKILL.
   */
  end(graceMs: number): Promise<void> {
    this.#ending ??= this.#end(graceMs);
    return this.#ending;
  }

  /** Synchronous, for process exit. */
  killNow(): void {
    if (!this.#exited) killGroupNow(this.pid);
  }

  async #end(graceMs: number): Promise<void> {
    if (this.#exited) return;
    if (graceMs > 0) {
      signalGroup(this.pid, 'SIGTERM');
      if (await this.#goneWithin(graceMs)) return;
    }
    signalGroup(this.pid, 'SIGKILL');
    await this.#goneWithin(KILLED_MS);
  }

  async #goneWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, ms, false);
    });
    const gone = await Promise.race([this.exit.then(() => true), late]);
    clearTimeout(timer);
    return gone;
  }

  #follow(stream: Readable, hooks: ContainerHooks): void {
    stream.on('error', () => {});
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.#remember(line);
      hooks.output(this, line.slice(0, MAX_LINE));
    });
  }

  #remember(line: string): void {
    this.#tail.push(line.slice(0, MAX_LINE));
    if (this.#tail.length > TAIL_LINES) this.#tail.shift();
  }
}
