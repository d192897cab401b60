import { setMaxListeners } from 'node:events';
import type { UpstreamSession, UpstreamSessions } from '../upstream/upstream.ts';

/**
 * A client's session with a gateway. It has no microVM and costs nothing, so the journal does not
 * contain it. The gateway ends its sessions itself, after eight hours at the latest.
 */
class GatewaySession implements UpstreamSession {
  readonly id: string;
  readonly key = undefined;
  readonly routingId = undefined;
  /** Never aborts, because nothing stops the session. */
  readonly closing = new AbortController().signal;
  protocolVersion: string | undefined;
  mcpSessionId: string | undefined;
  mayRun = false;
  #lastRequest = 0;
  #open = 0;
  #onIdle: (() => void)[] = [];

  constructor(id: string) {
    this.id = id;
    setMaxListeners(0, this.closing);
  }

  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  callBegins(): () => void {
    this.#open++;
    return () => {
      if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async onRecord(): Promise<void> {}

  learnIds({ mcpSessionId = this.mcpSessionId }: { readonly mcpSessionId?: string | undefined }) {
    this.mcpSessionId = mcpSessionId;
  }

  accepted(): void {
    this.mayRun = true;
  }

  startedUnseen(): void {
    this.accepted();
  }

  refused(): void {}
}

/** Gateway sessions of this process. */
export class GatewaySessions implements UpstreamSessions {
  begin(id: string): UpstreamSession {
    return new GatewaySession(id);
  }

  end(): void {}

  leave(): void {}

  supersede(): void {}
}
