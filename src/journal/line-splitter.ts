const LINE_FEED = 0x0a;

/** Maximum bytes of a line. Our writers stay far below. */
const LINE_LIMIT = 1024 * 1024;

/** Splits bytes into lines and buffers an incomplete last line. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #length = 0;
  /** Number of lines skipped because of their length. */
  tooLong = 0;

  constructor(limit: number = LINE_LIMIT) {
    this.#limit = limit;
  }

  /**
   * Returns the lines that end within `chunk`, without blank ones. May keep references to `chunk`.
   */
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

  /** Returns the buffered incomplete line; empty if there is none. */
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
