import type { ClientRequest } from 'node:http';
import { AgentCoreError } from '../error.ts';

export interface Timeouts {
  /** Milliseconds until a connection, TLS included, has to stand. */
  readonly connect: number;
  /** Milliseconds that the other side may stay silent. */
  readonly read: number;
}

type Phase = keyof Timeouts;

/** Destroys a request whose connection does not come about, or on which nothing is heard any more. */
export class SilenceClock {
  /** Why the request was destroyed, once it was. */
  expired: AgentCoreError | undefined;
  readonly #request: ClientRequest;
  readonly #timeouts: Timeouts;
  readonly #host: string;
  #timer: NodeJS.Timeout | undefined;
  #phase: Phase | undefined;
  #holds = 0;

  constructor(request: ClientRequest, timeouts: Timeouts, host: string) {
    this.#request = request;
    this.#timeouts = timeouts;
    this.#host = host;
    // Waiting for a socket of the agent counts as connecting.
    this.#run('connect');
    request.once('socket', (socket) => {
      if (!socket.connecting) return this.heard();
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.heard());
    });
    request.once('close', () => this.#stop());
  }

  /** Something came, or was sent: the silence begins anew. */
  heard(): void {
    if (this.#holds === 0) this.#run('read');
  }

  /** Stops the clock while silence is not the other side's fault; each `true` wants its `false`. */
  hold(hold: boolean): void {
    this.#holds += hold ? 1 : -1;
    if (this.#holds > 0) this.#stop();
    else this.heard();
  }

  #run(phase: Phase): void {
    if (this.#timer && this.#phase === phase) {
      this.#timer.refresh();
      return;
    }
    this.#stop();
    this.#phase = phase;
    this.#timer = setTimeout(() => this.#expire(phase), this.#timeouts[phase]);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(phase: Phase): void {
    const seconds = this.#timeouts[phase] / 1000;
    this.expired = new AgentCoreError(
      'timeout',
      phase === 'connect'
        ? `Could not connect to ${this.#host} within ${seconds} s: check the network and proxy settings, or raise AGENTCORE_CONNECT_TIMEOUT`
        : `${this.#host} was silent for ${seconds} s and the call may still be running there: raise AGENTCORE_READ_TIMEOUT if it needs longer`,
    );
    this.#request.destroy(this.expired);
  }
}
