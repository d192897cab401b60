/** How much of a stream goes through: so many events, or so many bytes, whichever is told. */
export interface GateLimit {
  readonly afterEvents?: number | undefined;
  readonly afterBytes?: number | undefined;
}

const LF = 10;
const CR = 13;

/** Lets a stream's first events or bytes through, and nothing after. */
export class EventGate {
  readonly #events: number;
  readonly #bytes: number;
  #seenEvents = 0;
  #seenBytes = 0;
  /** Line ends since the last other character; two make an event's end. */
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

  /** The part of a chunk that goes through. */
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
      // An event that ends in CR LF CR LF is over with the last of the four.
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
