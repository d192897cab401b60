import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { RuntimeConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';

// The process of a microVM: its start, its readiness and its end, with all descendants.

/**
 * Milliseconds to wait for the exit of a process after SIGKILL. The kernel decides the actual time.
 */
const KILLED_MS = 3000;

const MAX_LINE = 4096;

const TAIL_LINES = 20;

export interface ContainerExit {
  readonly code: number | null;
  readonly signal: string | null;
}

interface ContainerHooks {
  output(container: Container, line: string): void;
  /** Called when the process has exited for any reason. */
  exited(container: Container, exit: ContainerExit): void;
}

/** The process of one microVM. It runs the command of a runtime, on its own port. */
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
      // The operating system closes stdin when this process exits, even after a crash. A server can
      // detect this and exit too.
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
        // Also kill the remaining descendants of the command.
        if (HAS_PROCESS_GROUPS) signalGroup(this.pid, 'SIGKILL');
        this.#child.stdin?.destroy();
        hooks.exited(this, exit);
        resolve(exit);
      };
      this.#child.on('exit', (code, signal) => gone({ code, signal }));
      this.#child.on('error', (error) => {
        // If the directory is missing, the error of Node names the program instead.
        const cwdGone = config.cwd !== undefined && !existsSync(config.cwd);
        this.#remember(cwdGone ? `no such folder: ${config.cwd}` : `${program}: ${error.message}`);
        // If the command could not start, no `exit` event follows. If only a signal failed, one
        // follows later.
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

  /** The last lines of output, for the error after a failed start. */
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

  /** Kills the process. Synchronous, for the exit of this process. */
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

const HOST = '127.0.0.1';

const FIRST_PAUSE_MS = 4;

const MAX_POLL_INTERVAL_MS = 50;

const PROBE_MS = 2000;

type HealthStatus = 'Healthy' | 'HealthyBusy';

/**
 * Waits until a container is ready. An HTTP agent must answer `GET /ping`. An MCP server must
 * listen, because its contract has no health path.
 *
 * @returns false if the container exits first or is not ready within `withinMs`.
 */
export async function waitUntilReady(
  container: Container,
  protocol: 'MCP' | 'HTTP',
  withinMs: number,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  let pause = FIRST_PAUSE_MS;
  while (container.running) {
    const ready =
      protocol === 'HTTP'
        ? (await probeHealth(container.port)) !== undefined
        : await isListening(container.port);
    // If the container has exited, another process may have answered on the port.
    if (ready) return container.running;
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
    pause = Math.min(pause * 1.5, MAX_POLL_INTERVAL_MS);
  }
  return false;
}

/** Returns the status from `GET /ping`. `undefined` if the agent is not healthy. */
export function probeHealth(port: number): Promise<HealthStatus | undefined> {
  return new Promise((resolve) => {
    const ping = request({ host: HOST, port, path: '/ping', agent: false, timeout: PROBE_MS });
    ping.on('timeout', () => ping.destroy());
    ping.on('error', () => resolve(undefined));
    ping.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        if (body.length < MAX_PING) body += chunk;
      });
      response.on('close', () => resolve(readHealth(response.statusCode, body)));
    });
    ping.end();
  });
}

const MAX_PING = 10_000;

function readHealth(status: number | undefined, body: string): HealthStatus | undefined {
  if (status !== 200) return undefined;
  try {
    const answer: unknown = JSON.parse(body);
    const busy =
      typeof answer === 'object' &&
      answer !== null &&
      'status' in answer &&
      answer.status === 'HealthyBusy';
    return busy ? 'HealthyBusy' : 'Healthy';
  } catch {
    // A response with status 200 and without JSON counts as healthy.
    return 'Healthy';
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: HOST, port, timeout: PROBE_MS });
    const settle = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
    socket.on('timeout', () => settle(false));
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const WINDOWS = process.platform === 'win32';

/**
 * Whether a `detached` child is the leader of a process group. A signal can then address the whole
 * group.
 */
export const HAS_PROCESS_GROUPS = !WINDOWS;

/**
 * Sends a signal to a child and all its descendants. Ignores a group that has already exited. Also
 * ignores ids of 1 or less, because they could address all processes of the user.
 */
function signalGroup(leader: number | undefined, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (leader === undefined || !Number.isSafeInteger(leader) || leader <= 1) return;
  if (WINDOWS) {
    // Windows has no SIGTERM. `taskkill` kills the whole process tree.
    spawn('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' }).on(
      'error',
      () => {},
    );
    return;
  }
  try {
    process.kill(-leader, signal);
  } catch {
    // The group has already exited.
  }
}

/** Kills the group. Synchronous, for the exit of this process. */
function killGroupNow(leader: number | undefined): void {
  if (WINDOWS && leader !== undefined && leader > 1) {
    spawnSync('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  signalGroup(leader, 'SIGKILL');
}
