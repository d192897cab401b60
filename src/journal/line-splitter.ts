const LINE_FEED = 0x0a;

/** The most bytes of a line that is read; no writer of ours comes near it. */
const LINE_LIMIT = 1024 * 1024;

/** Cuts bytes into lines and holds an unfinished last one back until more has come. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #length = 0;
  /** Lines that were passed over for their length. */
  tooLong = 0;

  constructor(limit: number = LINE_LIMIT) {
    this.#limit = limit;
  }

  /** The lines that end within `chunk`, without blank ones. The bytes of `chunk` may be kept. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end));
      const line = this.end();
      if (line) lines.push(line);
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
    return lines;
  }

  /** What has come of a line that nothing has ended; empty where that is nothing. */
  end(): string {
    const isTooLong = this.#length > this.#limit;
    if (isTooLong) this.tooLong += 1;
    const line = isTooLong ? '' : Buffer.concat(this.#parts).toString().trim();
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #add(part: Buffer): void {
    if (part.length === 0) return;
    this.#length += part.length;
    if (this.#length > this.#limit) this.#parts = [];
    else this.#parts.push(part);
  }
}
