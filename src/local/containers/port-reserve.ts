import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { AgentCoreError } from '../../base/errors.ts';

const HOST = '127.0.0.1';

/** Below the ephemeral port ranges of Linux, macOS and Windows. */
const FIRST = 10_240;

const END = 32_768;

const BLOCK = 64;

/**
 * Ports for containers. Another local runtime could take a free port before the container listens
 * on it. Each local runtime therefore reserves whole blocks: it listens on the first port of a
 * block, and uses the others for containers.
 */
export class PortReserve {
  #blocks: { readonly first: number; readonly guard: Server }[] = [];
  readonly #taken = new Set<number>();
  #next = 0;
  #growing: Promise<void> | undefined;

  /** @throws {AgentCoreError} `connection` if no port is left. */
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
      // If another program listens on this port, the port stays marked as taken.
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

  /** Round robin, to delay the reuse of a port. */
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
    // Derived from the process id, so concurrent programs seldom try the same block.
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
