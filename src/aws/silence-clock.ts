import type { ClientRequest } from 'node:http';
import { AgentCoreError } from '../error.ts';

export interface Timeouts {
  /** Connection timeout in milliseconds, including the TLS handshake. */
  readonly connect: number;
  /** Maximum silence of the server, in milliseconds. */
  readonly read: number;
  /**
   * Maximum milliseconds between messages, regardless of keep-alives. The default is four times
   * `read`.
   */
  readonly total?: number;
}

type Phase = 'connect' | 'read';

/**
 * Comments in an event stream show a live server, but not progress of the call. With the default
 * read timeout, the total is one hour: AgentCore's maximum stream duration.
 */
const TOTAL_OF_READ = 4;

/**
 * Destroys a request if it does not connect, if the server is silent, or if only keep-alives
 * arrive. One timer serves the whole request and is rescheduled for the remaining time.
 */
export class IdleTimeout {
  /** The timeout error, set when the request is destroyed. */
  expired: AgentCoreError | undefined;
  readonly #request: ClientRequest;
  readonly #timeouts: Timeouts;
  readonly #host: string;
  #timer: NodeJS.Timeout;
  // Waiting for a socket of the agent counts as connecting.
  #phase: Phase = 'connect';
  #since = performance.now();
  /** When the last message arrived, or when the request was sent. */
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

  /** False while no part of the request can have left this machine. */
  get isConnected(): boolean {
    return this.#phase === 'read';
  }

  /** Restarts the read timeout after data was received or sent. */
  heard(): void {
    this.#phase = 'read';
    this.#since = performance.now();
  }

  /** Restarts both timeouts after a message or a large part of one. */
  progressed(): void {
    this.heard();
    this.#progressSince = this.#holds > 0 ? this.#heldSince : this.#since;
  }

  /**
   * Pauses the timeouts while the server is not responsible for the silence. Each `true` needs a
   * matching `false`.
   */
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

  /** An upload in progress counts as progress. */
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
