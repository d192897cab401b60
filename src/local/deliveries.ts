import type { Clock } from './clock.ts';
import { Newest } from './newest.ts';
import type { RequestRecord } from './request-log.ts';

/** One request that reached a container, regardless of the response. */
export interface Delivery {
  /** When the container's socket had the last byte, in milliseconds since the epoch. */
  readonly at: number;
  /** The request of the client. The record changes until the client has the response. */
  readonly request: RequestRecord;
  readonly runtimeSessionId: string;
  /** `undefined` for HTTP runtimes, and before a stateful server issues an id. */
  readonly mcpSessionId: string | undefined;
  /** The body as sent to the container, unchanged. */
  readonly body: string;
}

/** The requests that containers received. Tests compare them with requests and side effects. */
export class Deliveries {
  readonly #newest: Newest<Delivery>;
  readonly #kept: boolean;
  readonly #clock: Clock;

  constructor(limit: number, clock: Clock) {
    this.#newest = new Newest(limit);
    this.#kept = limit > 0;
    this.#clock = clock;
  }

  get all(): readonly Delivery[] {
    return this.#newest.items;
  }

  add(
    request: RequestRecord,
    session: Pick<Delivery, 'runtimeSessionId' | 'mcpSessionId'>,
    body: Buffer,
  ): void {
    // Copying a body can be expensive, so do it only if deliveries are kept.
    if (!this.#kept) return;
    const { runtimeSessionId, mcpSessionId } = session;
    this.#newest.add({
      at: this.#clock.now(),
      request,
      runtimeSessionId,
      mcpSessionId,
      body: body.toString('utf8'),
    });
  }
}
