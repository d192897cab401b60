import type { ClientRequest } from 'node:http';
import { AgentCoreError } from '../error.ts';

export interface Timeouts {
  /** Milliseconds until a connection, TLS included, has to stand. */
  readonly connect: number;
  /** Milliseconds that the other side may stay silent. */
  readonly read: number;
  /** Milliseconds in which a message has to come, whatever else does; without it, four times `read`. */
  readonly total?: number;
}

type Phase = 'connect' | 'read';

/**
 * Comments on an event stream show that the server lives, not that its call will ever end. With the
 * standard read timeout this makes an hour, as long as AgentCore keeps a stream open.
 */
const TOTAL_OF_READ = 4;

/**
 * Destroys a request whose connection does not come about, on which nothing is heard any more, or
 * nothing but signs of life. One timer serves for the whole request: when it rings, it is set again for what is left.
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
  /** When the last message came, or the request was sent. */
  #progressSince = performance.now();
  #holds = 0;
  #heldSince = 0;
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

  /** A message came, or a good part of one: the call makes progress. */
  progressed(): void {
    this.heard();
    this.#progressSince = this.#holds > 0 ? this.#heldSince : this.#since;
  }

  /** Stops the clock while silence is not the other side's fault; each `true` wants its `false`. */
  hold(hold: boolean): void {
    this.heard();
    if (hold) {
      if (this.#holds++ === 0) this.#heldSince = this.#since;
    } else if (--this.#holds === 0) {
      this.#progressSince += this.#since - this.#heldSince;
    }
  }

  #ringIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#ring(), milliseconds);
  }

  #ring(): void {
    this.#noticeUpload();
    const limit = this.#timeouts[this.#phase];
    const now = performance.now();
    const silent = this.#since + limit - now;
    const total = this.#phase === 'read' ? this.#progressSince + this.#total - now : silent;
    if (this.#holds > 0) this.#timer = this.#ringIn(limit);
    else if (silent > 0 && total > 0) this.#timer = this.#ringIn(Math.min(silent, total));
    else this.#expire(silent <= 0);
  }

  get #total(): number {
    return this.#timeouts.total ?? this.#timeouts.read * TOTAL_OF_READ;
  }

  /** A body that is still going out is no silence. */
  #noticeUpload(): void {
    const written = this.#request.socket?.bytesWritten ?? 0;
    if (this.#phase === 'read' && written > this.#written) this.progressed();
    this.#written = written;
  }

  #expire(isSilent: boolean): void {
    const outcome = this.isConnected ? 'unknown' : 'not sent';
    this.expired = new AgentCoreError('timeout', this.#reason(isSilent), { data: { outcome } });
    this.#request.destroy(this.expired);
  }

  #reason(isSilent: boolean): string {
    const seconds = this.#timeouts[this.#phase] / 1000;
    if (this.#phase === 'connect') {
      return `Could not connect to ${this.#host} within ${seconds} s: check the network and proxy settings, or raise AGENTCORE_CONNECT_TIMEOUT`;
    }
    const running = 'and the call may still be running there: raise AGENTCORE_READ_TIMEOUT';
    if (isSilent) return `${this.#host} was silent for ${seconds} s ${running} if it needs longer`;
    return `${this.#host} sent no message for ${this.#total / 1000} s, only signs of life, ${running}, a quarter of that, if it needs longer`;
  }
}
