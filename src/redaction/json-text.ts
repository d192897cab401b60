import type { Sliced } from '../base/async.ts';

/**
 * Characters of a piece. Without pieces, the engine joins many small strings in one step at the
 * end.
 */
const PIECE = 16 * 1024;

/** Builds a long text from many parts. Spreads the work over the calls. */
export class TextBuilder {
  readonly #pieces: string[] = [];
  #parts: string[] = [];
  #length = 0;

  add(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length < PIECE) return;
    // Use `join`, because it copies the characters. A concatenated string refers to its parts.
    this.#pieces.push(this.#parts.join(''));
    this.#parts = [];
    this.#length = 0;
  }

  get text(): string {
    return [...this.#pieces, ...this.#parts].join('');
  }
}

/** Maximum characters to serialize without a pause. */
const MAX_PIECE_LENGTH = 64 * 1024;

/** Serializes a string like `JSON.stringify`, with pauses if it is long. */
export function* serializeString(text: string): Sliced<string> {
  if (text.length <= MAX_PIECE_LENGTH) return JSON.stringify(text);
  const written = new TextBuilder();
  written.add('"');
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + MAX_PIECE_LENGTH);
    // Do not split a surrogate pair: `JSON.stringify` would escape its halves.
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
    written.add(JSON.stringify(text.slice(at, end)).slice(1, -1));
    at = end;
    yield;
  }
  written.add('"');
  return written.text;
}
