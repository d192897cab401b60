import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Exchange, ExchangeLog, type Outage } from './exchanges.ts';
import type { Random } from './random.ts';

/** Milliseconds until the next attempt to listen on a port that another program uses. */
const LISTEN_AGAIN_MS = 20;

/**
 * The network between the proxies and AgentCore, which can fail: it refuses connections for some
 * time, or resets open connections with their requests.
 */
export class Wire {
  readonly log = new ExchangeLog();
  readonly #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Socket>();
  #port = 0;
  #refusing: Outage | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
    this.#server.on('error', () => this.#listenIn(LISTEN_AGAIN_MS));
    this.#server.on('listening', () => {
      if (this.#refusing) this.#refusing.until = performance.now();
      this.#refusing = undefined;
    });
  }

  /** @param target The port of the server on 127.0.0.1. */
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
    this.#refusing = { from: performance.now(), until: undefined };
    this.log.outages.push(this.#refusing);
    this.#server.close();
    this.#listenIn(milliseconds);
  }

  #listenIn(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#server.listen(this.#port, '127.0.0.1'), milliseconds);
  }

  /** @param share The share of connections, from 0 to 1. */
  reset(random: Random, share: number): void {
    const now = performance.now();
    this.log.outages.push({ from: now, until: now });
    for (const client of this.#pairs) {
      if (random.chance(share)) breakOff(client);
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
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
    let current: Exchange | undefined;
    const end = () => {
      if (current) current.endedAt = performance.now();
      current = undefined;
    };
    client.on('error', () => undefined);
    far.on('error', () => undefined);
    client.on('close', () => {
      end();
      this.#pairs.delete(client);
      far.destroy();
    });
    // A reset by the server must reach the client as a reset.
    far.on('close', (broke) => (broke ? breakOff(client) : client.end()));
    client.on('data', (chunk: Buffer) => {
      // A connection carries one request after another.
      if (current?.hasResponse) end();
      if (!current) {
        current = new Exchange();
        this.log.exchanges.push(current);
      }
      current.send(chunk);
      afterNextPoll(() => {
        if (!client.readableEnded && !client.destroyed) far.write(chunk);
      });
    });
    far.on('data', (chunk: Buffer) => current?.receive(chunk));
    far.pipe(client);
  }
}

/**
 * Calls back once connections that arrived meanwhile are accepted. libuv accepts one connection per
 * turn. On a busy machine, connections wait for seconds, and with them requests that their senders
 * have abandoned. Forwarded, each of them would restart a session that was stopped long ago.
 */
function afterNextPoll(go: () => void): void {
  setImmediate(() => setImmediate(go));
}

/**
 * Resets a connection. Node cannot do this while it ends its own side: the descriptor would stay
 * open, and `close` would never be emitted (libuv's `uv_tcp_close_reset` rejects a handle that is
 * shutting down).
 */
function breakOff(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
