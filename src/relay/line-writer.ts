import type { Writable } from 'node:stream';

const LINE_FEED = Buffer.from('\n');

/** Below this size in bytes, one write of a copy costs less than two writes. */
const WORTH_COPYING = 16 * 1024;

/**
 * Writes one message per line at the reader's pace. At most one message waits in the stream; the
 * others wait with their senders.
 */
export class MessageWriter {
  readonly #output: Writable;
  #waiting: (() => void)[] = [];
  #closed = false;

  /** @param onClosed Called once when the stream closes or fails. */
  constructor(output: Writable, onClosed: () => void) {
    this.#output = output;
    const close = () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#release();
      onClosed();
    };
    // A closed reader is not an error: drop all later messages.
    output.on('error', close);
    output.on('close', close);
    output.on('drain', () => this.#release());
  }

  /**
   * Waits until the stream accepts more, then writes.
   *
   * @param isStale Called right before the write. If it returns true, the message is dropped.
   */
  async write(bytes: Buffer, isStale: () => boolean = () => false): Promise<void> {
    while (!this.#closed && this.#output.writableNeedDrain) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#closed || isStale()) return;
    if (bytes.length < WORTH_COPYING) {
      this.#output.write(Buffer.concat([bytes, LINE_FEED]));
      return;
    }
    this.#output.cork();
    this.#output.write(bytes);
    this.#output.write(LINE_FEED);
    this.#output.uncork();
  }

  /** Resolves when all written bytes have left the process, or when the stream is closed. */
  async flushed(): Promise<void> {
    while (!this.#closed && this.#output.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#output.write('', () => resolve());
      });
    }
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
