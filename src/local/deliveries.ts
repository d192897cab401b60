import type { Clock } from './clock.ts';
import { Newest } from './newest.ts';
import type { RequestRecord } from './request-log.ts';

/** One time that a container was given a request, whatever became of the answer. */
export interface Delivery {
  /** When its socket had the last byte, in milliseconds since the epoch. */
  readonly at: number;
  /** The request as it came from the client; it changes until that is answered. */
  readonly request: RequestRecord;
  readonly runtimeSessionId: string;
  /** `undefined` for HTTP runtimes, and before a stateful server has issued one. */
  readonly mcpSessionId: string | undefined;
  /** What the container read, byte for byte. */
  readonly body: string;
}

/** What the containers were given, for a test that compares it with what was asked and done. */
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
    // A body can be large, and is a copy: only where somebody wants it.
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
