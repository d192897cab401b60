import { type RequestId, toRequestId } from './message.ts';

const LINE_FEED = 0x0a;

const CARRIAGE_RETURN = 0x0d;

/**
 * Reads the lines of MCP's stdio framing. Only a line feed ends a line: U+2028 and U+2029 are
 * ordinary characters in a JSON string, so Node's `readline` cannot be used. Drops blank lines, and
 * a carriage return before the line feed.
 *
 * @param limit Maximum bytes of a line. A longer line is yielded as an {@link OversizedMessage}.
 */
export async function* readStdioMessages(
  input: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<Buffer | OversizedMessage, void, void> {
  let parts: Buffer[] = [];
  let length = 0;
  let oversized: OversizedMessage | undefined;

  const add = (part: Buffer) => {
    length += part.length;
    if (oversized) {
      oversized.add(part);
    } else if (length > limit) {
      oversized = new OversizedMessage();
      for (const earlier of parts) oversized.add(earlier);
      oversized.add(part);
      parts = [];
    } else {
      parts.push(part);
    }
  };
  const take = (): Buffer | OversizedMessage => {
    const line =
      oversized ??
      withoutCarriageReturn(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts));
    parts = [];
    length = 0;
    oversized = undefined;
    return line;
  };

  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line instanceof OversizedMessage || !isBlank(line)) yield line;
    }
    if (start < chunk.length) add(chunk.subarray(start));
  }
  // A last line without a line feed is still a message.
  if (length === 0) return;
  const line = take();
  if (line instanceof OversizedMessage || !isBlank(line)) yield line;
}

function withoutCarriageReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === CARRIAGE_RETURN);
}

/** Limit for an id, in bytes. Valid ids are much shorter. */
const MAX_TOKEN_LENGTH = 1024;

/**
 * Scans a line, byte by byte, if it is too long to buffer. Keeps only the id of the request or of
 * the response, at any position in the line.
 */
export class OversizedMessage {
  /** Bytes of the line so far. */
  length = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The last top-level key or value, one character per byte, up to `MAX_TOKEN_LENGTH`. */
  #token = '';
  #key: string | undefined;
  readonly #seen = new Map<string, string>();

  /** Scans the next bytes of the line. */
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
