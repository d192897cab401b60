/** Characters of a piece: the engine would put many small strings together at once, at the end. */
const PIECE = 16 * 1024;

/** A long text out of many parts, put together bit by bit. */
export class TextBuilder {
  readonly #pieces: string[] = [];
  #piece = '';

  add(part: string): void {
    this.#piece += part;
    if (this.#piece.length < PIECE) return;
    // Reading a character puts the piece together.
    this.#piece.charCodeAt(0);
    this.#pieces.push(this.#piece);
    this.#piece = '';
  }

  get text(): string {
    return this.#pieces.length === 0 ? this.#piece : this.#pieces.join('') + this.#piece;
  }
}
