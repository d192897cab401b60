import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { AgentCoreError } from '../../error.ts';

const HOST = '127.0.0.1';
/** Below the ports that Linux, macOS and Windows hand out to outgoing connections. */
const FIRST = 10_240;
const END = 32_768;
const BLOCK = 64;

/**
 * Ports for containers. A port that was free a moment ago can be taken by another local runtime
 * before the container listens, so each takes whole blocks: it listens itself on a block's first
 * port, which nobody else can then, and gives out the others.
 */
export class PortReserve {
  #blocks: { readonly first: number; readonly guard: Server }[] = [];
  readonly #taken = new Set<number>();
  #next = 0;
  #growing: Promise<void> | undefined;

  /** @throws {AgentCoreError} `connection` when no port is left. */
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
      // Another program may sit in the middle of a block: its port stays taken.
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

  /** Round robin, so that a port rests before it is used again. */
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
    // By process id, so that programs started one after the other seldom meet.
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
