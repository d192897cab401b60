import type { Writable } from 'node:stream';

const LINE_FEED = Buffer.from('\n');
/** Below this size, in bytes, one write of a copy costs less than two writes. */
const WORTH_COPYING = 16 * 1024;

/**
 * Writes messages a line each, at the pace of whoever reads: at most one message waits in the
 * stream, all others with their senders.
 */
export class LineWriter {
  readonly #output: Writable;
  #waiting: (() => void)[] = [];
  #closed = false;

  /** @param onClosed Called once when nobody reads any more. */
  constructor(output: Writable, onClosed: () => void) {
    this.#output = output;
    const close = () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#release();
      onClosed();
    };
    // A reader that is gone is no error of ours: what is written from then on is dropped.
    output.on('error', close);
    output.on('close', close);
    output.on('drain', () => this.#release());
  }

  /**
   * Waits until the stream takes more, then writes.
   *
   * @param isStale Asked right before writing: true drops the message.
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

  /** Resolves when all that was written has left the process, or nobody reads it any more. */
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
