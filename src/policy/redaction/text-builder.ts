/** Characters of a piece: the engine would put many small strings together at once, at the end. */
const PIECE = 16 * 1024;

/** A long text out of many parts, put together bit by bit. */
export class TextBuilder {
  readonly #pieces: string[] = [];
  #parts: string[] = [];
  #length = 0;

  add(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length < PIECE) return;
    // Joining copies the characters; the sum of two strings would refer to both.
    this.#pieces.push(this.#parts.join(''));
    this.#parts = [];
    this.#length = 0;
  }

  get text(): string {
    return [...this.#pieces, ...this.#parts].join('');
  }
}
