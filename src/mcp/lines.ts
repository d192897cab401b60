import { OversizedMessage } from './oversized-line.ts';

const LINE_FEED = 0x0a;

const CARRIAGE_RETURN = 0x0d;

/**
 * Reads the lines of MCP's stdio framing. Only a line feed ends a line: U+2028 and U+2029 are
 * ordinary characters in a JSON string, so Node's `readline` cannot be used. Drops blank lines, and
 * a carriage return before the line feed.
 *
 * @param limit Maximum bytes of a line. Of a longer line, only the parts for an error response are
 * kept.
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
