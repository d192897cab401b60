import { type RequestId, toRequestId } from './message.ts';

/** Limit for an id, in bytes. Valid ids are much shorter. */
const MAX_TOKEN_LENGTH = 1024;

/**
 * Scans a line, byte by byte, if it is too long to buffer. Keeps only the id of the request or of
 * the response, at any position in the line.
 */
export class OversizedMessage {
  length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The last top-level key or value, one character per byte, up to `MAX_TOKEN_LENGTH`. */
  #token = '';
  #key: string | undefined;
  readonly #seen = new Map<string, string>();

  add(bytes: Buffer): void {
    this.length += bytes.length;
    for (const byte of bytes) this.#step(byte);
  }

  /** Id of the request in the line; `undefined` if there is none. */
  get id(): RequestId | undefined {
    return this.#seen.has('method') ? this.#getServerId() : undefined;
  }

  /** Id of the response in the line; `undefined` if the line is no response or has no id. */
  get answers(): RequestId | undefined {
    return this.#seen.has('method') ? undefined : this.#getServerId();
  }

  #getServerId(): RequestId | undefined {
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
    if (this.#depth === 1 && this.#token.length < MAX_TOKEN_LENGTH) this.#token += character;
  }

  #endMember(): void {
    if (this.#key === '"id"' || this.#key === '"method"') {
      this.#seen.set(this.#key.slice(1, -1), this.#token);
    }
    this.#key = undefined;
    this.#token = '';
  }
}
