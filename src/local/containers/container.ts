import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import type { RuntimeConfig } from '../config.ts';
import { HAS_PROCESS_GROUPS, killGroupNow, signalGroup } from './process-group.ts';

/** How long a killed process may take to be gone; the kernel decides, so it is only a bound. */
const KILLED_MS = 3000;
const MAX_LINE = 4096;
const TAIL_LINES = 20;

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface ContainerHooks {
  output(container: Container, line: string): void;
  /** The process is gone, by itself or not. */
  exited(container: Container, exit: ContainerExit): void;
}

/** A process that serves one microVM: a runtime's command, on a port of its own. */
export class Container {
  readonly runtime: string;
  readonly port: number;
  /** `undefined` where the command could not be started. */
  readonly pid: number | undefined;
  readonly startedAt: number;
  /** Resolves when the process is gone. */
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
      // Its stdin ends when we do, whatever ended us: a server that minds that leaves by itself.
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
        // What the command started and left behind goes with it.
        if (HAS_PROCESS_GROUPS) signalGroup(this.pid, 'SIGKILL');
        this.#child.stdin?.destroy();
        hooks.exited(this, exit);
        resolve(exit);
      };
      this.#child.on('exit', (code, signal) => gone({ code, signal }));
      this.#child.on('error', (error) => {
        // Node blames the program where it is the folder that is not there.
        const cwdGone = config.cwd !== undefined && !existsSync(config.cwd);
        this.#remember(cwdGone ? `no such folder: ${config.cwd}` : `${program}: ${error.message}`);
        // A command that does not exist has no exit; a signal that could not be sent has.
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

  /** What it said last, for whoever asks why it failed. */
  get lastWords(): string {
    return this.#tail.join('\n');
  }

  /** SIGTERM, and SIGKILL where that does not end it within `graceMs`. Resolves when it is gone. */
  end(graceMs: number): Promise<void> {
    this.#ending ??= this.#end(graceMs);
    return this.#ending;
  }

  /** For the last moment of a program, which cannot wait. */
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
