import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from './random.ts';

/**
 * The network between the proxies and AgentCore, which can break: it refuses connections for a
 * while, or resets those that stand, whatever is under way on them.
 */
export class Wire {
  readonly #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Socket>();
  #port = 0;
  #refusing: NodeJS.Timeout | undefined;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
    this.#server.on('error', () => undefined);
  }

  /** @param target The port of 127.0.0.1 at the far end. */
  static async open(target: number): Promise<Wire> {
    const wire = new Wire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    wire.#port = (wire.#server.address() as AddressInfo).port;
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  refuse(milliseconds: number): void {
    if (this.#refusing) return;
    this.#server.close();
    this.#refusing = setTimeout(() => {
      this.#refusing = undefined;
      this.#server.listen(this.#port, '127.0.0.1');
    }, milliseconds);
  }

  /** @param share Of the connections, from 0 to 1. */
  reset(random: Random, share: number): void {
    for (const client of this.#pairs) {
      if (random.chance(share)) breakOff(client);
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#refusing);
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    this.#server.close();
    for (const client of this.#pairs) client.destroy();
    await closed;
  }

  #join(client: Socket): void {
    const far = connect(this.#target, '127.0.0.1');
    client.setNoDelay(true);
    far.setNoDelay(true);
    this.#pairs.add(client);
    client.on('error', () => undefined);
    far.on('error', () => undefined);
    client.on('close', () => {
      this.#pairs.delete(client);
      far.destroy();
    });
    // A reset that comes from the far end has to arrive as one.
    far.on('close', (broke) => (broke ? breakOff(client) : client.end()));
    client.on('data', (chunk) => {
      afterNextPoll(() => {
        if (!client.readableEnded && !client.destroyed) far.write(chunk);
      });
    });
    far.pipe(client);
  }
}

/**
 * Calls back once what has come meanwhile is known. libuv accepts one connection a turn, so on a busy
 * machine connections wait for seconds, and with them requests that their senders have given up:
 * passed on, each would begin a session again that was stopped long ago.
 */
function afterNextPoll(go: () => void): void {
  setImmediate(() => setImmediate(go));
}

/**
 * Resets a connection. Node cannot while it sends its own end of one: the descriptor would stay, and
 * `close` would never come (libuv's `uv_tcp_close_reset` refuses a handle that is shutting down).
 */
function breakOff(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
