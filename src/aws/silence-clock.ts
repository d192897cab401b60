import type { ClientRequest } from 'node:http';
import { AgentCoreError } from '../error.ts';

export interface Timeouts {
  /** Milliseconds until a connection, TLS included, has to stand. */
  readonly connect: number;
  /** Milliseconds that the other side may stay silent. */
  readonly read: number;
}

type Phase = keyof Timeouts;

/**
 * Destroys a request whose connection does not come about, or on which nothing is heard any more.
 * One timer serves for the whole request: when it rings, it is set again for what is left.
 */
export class SilenceClock {
  /** Why the request was destroyed, once it was. */
  expired: AgentCoreError | undefined;
  readonly #request: ClientRequest;
  readonly #timeouts: Timeouts;
  readonly #host: string;
  #timer: NodeJS.Timeout;
  // Waiting for a socket of the agent counts as connecting.
  #phase: Phase = 'connect';
  #since = performance.now();
  #holds = 0;
  #written = 0;

  constructor(request: ClientRequest, timeouts: Timeouts, host: string) {
    this.#request = request;
    this.#timeouts = timeouts;
    this.#host = host;
    this.#timer = this.#ringIn(Math.min(timeouts.connect, timeouts.read));
    request.once('socket', (socket) => {
      if (!socket.connecting) return this.heard();
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.heard());
    });
    request.once('close', () => clearTimeout(this.#timer));
  }

  /** False as long as nothing of the request can have left the machine. */
  get isConnected(): boolean {
    return this.#phase === 'read';
  }

  /** Something came, or was sent: the silence begins anew. */
  heard(): void {
    this.#phase = 'read';
    this.#since = performance.now();
  }

  /** Stops the clock while silence is not the other side's fault; each `true` wants its `false`. */
  hold(hold: boolean): void {
    this.#holds += hold ? 1 : -1;
    this.heard();
  }

  #ringIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#ring(), milliseconds);
  }

  #ring(): void {
    this.#noticeUpload();
    const limit = this.#timeouts[this.#phase];
    const left = this.#holds > 0 ? limit : this.#since + limit - performance.now();
    if (left > 0) this.#timer = this.#ringIn(left);
    else this.#expire();
  }

  /** A body that is still going out is no silence. */
  #noticeUpload(): void {
    const written = this.#request.socket?.bytesWritten ?? 0;
    if (this.#phase === 'read' && written > this.#written) this.heard();
    this.#written = written;
  }

  #expire(): void {
    const seconds = this.#timeouts[this.#phase] / 1000;
    this.expired = new AgentCoreError(
      'timeout',
      this.#phase === 'connect'
        ? `Could not connect to ${this.#host} within ${seconds} s: check the network and proxy settings, or raise AGENTCORE_CONNECT_TIMEOUT`
        : `${this.#host} was silent for ${seconds} s and the call may still be running there: raise AGENTCORE_READ_TIMEOUT if it needs longer`,
      { data: { outcome: this.isConnected ? 'unknown' : 'not sent' } },
    );
    this.#request.destroy(this.expired);
  }
}
