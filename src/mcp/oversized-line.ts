import { type RequestId, toRequestId } from './message.ts';

/** More than an id of any sense has. */
const LONGEST_TOKEN = 1024;

/**
 * A line that is too long to keep. It is read through, byte by byte and without keeping it, for the
 * one thing that is owed: the id to answer, or of the request that is answered, wherever in the line
 * that stands.
 */
export class OversizedLine {
  length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The last key or value at the top level, a character for each byte, up to `LONGEST_TOKEN`. */
  #token = '';
  #key: string | undefined;
  readonly #seen = new Map<string, string>();

  add(bytes: Buffer): void {
    this.length += bytes.length;
    for (const byte of bytes) this.#step(byte);
  }

  /** The id of the request that the line holds; `undefined` where it holds none or none is found. */
  get id(): RequestId | undefined {
    return this.#seen.has('method') ? this.#idOf() : undefined;
  }

  /** The id that the line answers; `undefined` if it is no response or none is found. */
  get answers(): RequestId | undefined {
    return this.#seen.has('method') ? undefined : this.#idOf();
  }

  #idOf(): RequestId | undefined {
    const bytes = this.#seen.get('id');
    if (bytes === undefined) return undefined;
    const token = Buffer.from(bytes, 'latin1').toString('utf8');
    try {
      return toRequestId(token);
    } catch {
      return undefined;
    }
  }

  #step(byte: number): void {
    const character = String.fromCharCode(byte);
    if (this.#inString) {
      this.#keep(character);
      if (this.#escaped) this.#escaped = false;
      else if (character === '\\') this.#escaped = true;
      else if (character === '"') this.#inString = false;
      return;
    }
    switch (character) {
      case '"':
        this.#inString = true;
        this.#keep(character);
        break;
      case '{':
      case '[':
        this.#depth++;
        break;
      case '}':
      case ']':
        if (this.#depth === 1) this.#endMember();
        this.#depth--;
        break;
      case ':':
        if (this.#depth === 1) {
          this.#key = this.#token;
          this.#token = '';
        }
        break;
      case ',':
        if (this.#depth === 1) this.#endMember();
        break;
      default:
        if (byte > 0x20) this.#keep(character);
    }
  }

  #keep(character: string): void {
    if (this.#depth === 1 && this.#token.length < LONGEST_TOKEN) this.#token += character;
  }

  #endMember(): void {
    if (this.#key === '"id"' || this.#key === '"method"') {
      this.#seen.set(this.#key.slice(1, -1), this.#token);
    }
    this.#key = undefined;
    this.#token = '';
  }
}
