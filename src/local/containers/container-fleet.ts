import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { AgentCoreError } from '../../base/errors.ts';
import type { RuntimeConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { LocalEvents } from '../core/events.ts';
import type { PlatformError } from '../http/errors.ts';
import { Container, type ContainerExit, waitUntilReady } from './container.ts';
import { OrphanGuard } from './orphan-guard.ts';

// The containers of a local runtime, and the ports for them.

const PING_MS = 5000;

/** The outcome of a start: a ready container, or the error for the caller. */
export type Boot =
  | { readonly ok: true; readonly container: Container }
  | { readonly ok: false; readonly error: PlatformError };

/** The containers of a local runtime, in all states: starting, warm, in use and stopping. */
export class ContainerFleet {
  readonly #account: string;
  readonly #clock: Clock;
  readonly #events: LocalEvents;
  readonly #ports = new PortReserve();
  readonly #guard = new OrphanGuard();
  readonly #containers = new Set<Container>();
  readonly #warm = new Map<string, Container[]>();
  /** Number of warm containers being started, by runtime. */
  readonly #warming = new Map<string, number>();
  /** Number of starts without a process so far. They count towards `maxVms`. */
  #booting = 0;
  #closed = false;

  constructor(account: string, clock: Clock, events: LocalEvents) {
    this.#account = account;
    this.#clock = clock;
    this.#events = events;
  }

  /** Number of container processes, in all states. */
  get size(): number {
    return this.#containers.size;
  }

  /** Returns a warm container. If there is none, starts a new one. */
  async boot(config: RuntimeConfig): Promise<Boot> {
    const warm = this.#takeWarm(config);
    if (warm) {
      void this.fillWarm(config);
      return { ok: true, container: warm };
    }
    if (config.coldStart > 0) await this.#pause(config.coldStart);
    return this.#start(config);
  }

  /** Starts warm containers up to the number in the configuration. */
  async fillWarm(config: RuntimeConfig): Promise<void> {
    const { name } = config;
    const waiting = this.#warm.get(name)?.filter(({ running }) => running) ?? [];
    const missing = config.warm - waiting.length - (this.#warming.get(name) ?? 0);
    await Promise.all(Array.from({ length: Math.max(0, missing) }, () => this.#startWarm(config)));
  }

  async #startWarm(config: RuntimeConfig): Promise<void> {
    const { name } = config;
    const count = (change: number) =>
      this.#warming.set(name, (this.#warming.get(name) ?? 0) + change);
    count(1);
    const boot = await this.#start(config).finally(() => count(-1));
    if (!boot.ok) return;
    const { container } = boot;
    const waiting = this.#warm.get(name)?.filter(({ running }) => running) ?? [];
    this.#warm.set(name, [...waiting, container]);
    const { pid, port } = container;
    this.#events.emit(() => ({ type: 'container-warm', runtime: name, pid, port }));
  }

  /** Stops all containers. `graceMs` is the time in milliseconds from SIGTERM to SIGKILL. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#containers].map((container) => container.end(graceMs)));
    await Promise.all([this.#guard.close(), this.#ports.close()]);
  }

  /** Kills all containers. Synchronous, for the exit of this process. */
  killNow(): void {
    this.#closed = true;
    for (const container of this.#containers) container.killNow();
  }

  #takeWarm(config: RuntimeConfig): Container | undefined {
    const waiting = this.#warm.get(config.name);
    for (let next = waiting?.shift(); next; next = waiting?.shift()) {
      if (next.running) return next;
    }
    return undefined;
  }

  async #start(config: RuntimeConfig): Promise<Boot> {
    if (this.#closed) return createFailedBoot('The local runtime is closing.');
    if (this.#containers.size + this.#booting >= config.switches.maxVms) {
      const message = config.switches.maxVmsText.replaceAll('{account}', this.#account);
      return { ok: false, error: { kind: 'quota-exceeded', message } };
    }
    this.#booting += 1;
    const port = await this.#ports.take().finally(() => {
      this.#booting -= 1;
    });
    if (this.#closed) return createFailedBoot('The local runtime is closing.');
    const container = new Container(config, port, this.#clock, {
      output: ({ runtime, pid }, line) =>
        this.#events.emit(() => ({ type: 'container-output', runtime, pid, line })),
      exited: (gone, exit) => this.#exited(gone, exit),
    });
    this.#containers.add(container);
    if (container.pid !== undefined) this.#guard.watch(container.pid);
    const { pid, runtime } = container;
    this.#events.emit(() => ({ type: 'container-started', runtime, pid, port }));
    if (await waitUntilReady(container, config.protocol, config.initializationTimeout * 1000)) {
      if (config.protocol === 'MCP' && config.switches.platformPing) sendPing(port, config.path);
      return { ok: true, container };
    }
    const { running } = container;
    await container.end(0);
    this.#events.emit(() => ({
      type: 'container-failed',
      runtime,
      pid,
      reason: running
        ? `not ready on port ${port} within ${config.initializationTimeout} s`
        : 'exited before it was ready',
      output: container.lastLines,
    }));
    return createFailedBoot(
      `Runtime initialization time exceeded. Please make sure that initialization completes in ${config.initializationTimeout}s.`,
    );
  }

  #exited(container: Container, { code, signal }: ContainerExit): void {
    this.#containers.delete(container);
    this.#ports.release(container.port);
    if (container.pid !== undefined) this.#guard.unwatch(container.pid);
    const { runtime, pid, ending } = container;
    const byItself = !ending;
    this.#events.emit(() => ({ type: 'container-exited', runtime, pid, code, signal, byItself }));
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}

/**
 * Sends a `ping` that no client requested. A developer can thus test whether the server tolerates
 * it.
 */
function sendPing(port: number, path: string): void {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-session-id': randomUUID(),
  };
  const options = { host: '127.0.0.1', port, path, method: 'POST', headers, agent: false };
  const sent = request({ ...options, timeout: PING_MS }, (answer) => answer.resume());
  sent.on('timeout', () => sent.destroy());
  sent.on('error', () => {});
  sent.end('{"jsonrpc":"2.0","id":"platform-ping","method":"ping"}');
}

function createFailedBoot(message: string): Boot {
  return { ok: false, error: { kind: 'container-failed', message } };
}

const HOST = '127.0.0.1';

/** Ports below the ephemeral ranges of Linux, macOS and Windows. */
const FIRST = 10_240;

const END = 32_768;

const BLOCK = 64;

/**
 * Reserves ports for containers. Another local runtime could take a free port before the container
 * listens on it. Each local runtime therefore reserves blocks of ports. It listens on the first
 * port of a block and uses the others for containers.
 */
class PortReserve {
  #blocks: { readonly first: number; readonly guard: Server }[] = [];
  readonly #taken = new Set<number>();
  #next = 0;
  #growing: Promise<void> | undefined;

  /**
   * Returns a free port.
   *
   * @throws {AgentCoreError} `connection` if there is none.
   */
  async take(): Promise<number> {
    for (;;) {
      const port = this.#free();
      if (port === undefined) {
        this.#growing ??= this.#grow().finally(() => {
          this.#growing = undefined;
        });
        await this.#growing;
        continue;
      }
      this.#taken.add(port);
      // If another program listens on the port, it stays marked as taken.
      if (await isFree(port)) return port;
    }
  }

  release(port: number): void {
    this.#taken.delete(port);
  }

  async close(): Promise<void> {
    const closed = this.#blocks.map(({ guard }) => once(guard.close(), 'close'));
    this.#blocks = [];
    await Promise.all(closed);
  }

  /** Returns the next free port of all blocks in turn, so a port is reused late. */
  #free(): number | undefined {
    const count = this.#blocks.length * (BLOCK - 1);
    for (let tried = 0; tried < count; tried += 1) {
      this.#next = (this.#next + 1) % count;
      const block = this.#blocks[Math.floor(this.#next / (BLOCK - 1))];
      const port = block ? block.first + 1 + (this.#next % (BLOCK - 1)) : undefined;
      if (port !== undefined && !this.#taken.has(port)) return port;
    }
    return undefined;
  }

  async #grow(): Promise<void> {
    const blocks = Math.floor((END - FIRST) / BLOCK);
    // Derived from the process id, so concurrent programs rarely try the same block.
    const start = (process.pid * 7) % blocks;
    for (let tried = 0; tried < blocks; tried += 1) {
      const first = FIRST + ((start + tried) % blocks) * BLOCK;
      const guard = await listen(first);
      if (guard) {
        this.#blocks.push({ first, guard });
        return;
      }
    }
    throw new AgentCoreError('connection', 'No loopback port is left for another container.');
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (!server) return false;
  await once(server.close(), 'close');
  return true;
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  server.listen({ port, host: HOST, exclusive: true });
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}
