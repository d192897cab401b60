/**
 * Characters of a piece. Without pieces, the engine would join many small strings at once at the
 * end.
 */
const PIECE = 16 * 1024;

/** Builds a long text from many parts, with the work spread over the calls. */
export class TextBuilder {
  readonly #pieces: string[] = [];
  #parts: string[] = [];
  #length = 0;

  add(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length < PIECE) return;
    // `join` copies the characters. A concatenated string would refer to both parts.
    this.#pieces.push(this.#parts.join(''));
    this.#parts = [];
    this.#length = 0;
  }

  get text(): string {
    return [...this.#pieces, ...this.#parts].join('');
  }
}
