/** Maximum number of events or bytes to pass. The first limit reached applies. */
export interface GateLimit {
  readonly afterEvents?: number | undefined;
  readonly afterBytes?: number | undefined;
}

const LF = 10;

const CR = 13;

/** Passes the first events or bytes of a stream and drops the rest. */
export class EventGate {
  readonly #events: number;
  readonly #bytes: number;
  #seenEvents = 0;
  #seenBytes = 0;
  /** Line ends since the last other character. Two complete an event. */
  #lineEnds = 0;
  #previous = 0;

  constructor({ afterEvents, afterBytes }: GateLimit) {
    const unlimited = Number.POSITIVE_INFINITY;
    this.#events = afterEvents ?? unlimited;
    this.#bytes = afterBytes ?? (afterEvents === undefined ? 0 : unlimited);
  }

  get shut(): boolean {
    return this.#seenEvents >= this.#events || this.#seenBytes >= this.#bytes;
  }

  /** The part of a chunk within the limits. */
  admit(chunk: Buffer): Buffer {
    let length = 0;
    while (length < chunk.length && !this.shut) {
      this.#count(chunk[length] as number);
      length += 1;
    }
    return chunk.subarray(0, length);
  }

  #count(byte: number): void {
    this.#seenBytes += 1;
    const secondOfPair = byte === LF && this.#previous === CR;
    if (byte === LF || byte === CR) {
      if (!secondOfPair) this.#lineEnds += 1;
      // CR LF CR LF ends an event only with its last byte.
      if (this.#lineEnds === 2 && (byte === LF || this.#seenBytes === this.#bytes)) {
        this.#seenEvents += 1;
        this.#lineEnds = 0;
      }
    } else {
      this.#lineEnds = 0;
    }
    this.#previous = byte;
  }
}
