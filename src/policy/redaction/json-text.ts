import type { Sliced } from '../../slices.ts';
import { TextBuilder } from './text-builder.ts';

/** Characters of a string that are serialized without a pause. */
const MAX_PIECE_LENGTH = 64 * 1024;

/** Serializes a string like `JSON.stringify`. */
export function* serializeString(text: string): Sliced<string> {
  if (text.length <= MAX_PIECE_LENGTH) return JSON.stringify(text);
  const written = new TextBuilder();
  written.add('"');
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + MAX_PIECE_LENGTH);
    // Half of a surrogate pair would be written as an escape.
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
    written.add(JSON.stringify(text.slice(at, end)).slice(1, -1));
    at = end;
    yield;
  }
  written.add('"');
  return written.text;
}
