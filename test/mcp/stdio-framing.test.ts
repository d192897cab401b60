import { describe, expect, it } from 'vitest';
import { OversizedMessage, readStdioMessages } from '../../src/mcp/stdio-framing.ts';

async function* chunks(...parts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

async function linesOf(limit: number, ...parts: (string | Buffer)[]) {
  const lines: (string | OversizedMessage)[] = [];
  for await (const line of readStdioMessages(chunks(...parts), limit)) {
    lines.push(Buffer.isBuffer(line) ? line.toString() : line);
  }
  return lines;
}

describe('lines', () => {
  it('end at a line feed only, so U+2028 and U+2029 stay inside', async () => {
    expect(await linesOf(100, '"a\u2028b\u2029c\u0085d"\n"e"\n')).toEqual([
      '"a\u2028b\u2029c\u0085d"',
      '"e"',
    ]);
  });

  it('may be split and joined anywhere, even inside a character', async () => {
    const bytes = Buffer.from('{"a":"é€😀"}\r\n\r\n  \n{"b":2}\n');
    for (let size = 1; size <= bytes.length; size++) {
      const parts: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
      expect(await linesOf(100, ...parts)).toEqual(['{"a":"é€😀"}', '{"b":2}']);
    }
  });

  it('count without a line feed at the end of input', async () => {
    expect(await linesOf(100, '1\n', '2')).toEqual(['1', '2']);
  });

  it('beyond the bound are skipped except for their length and id', async () => {
    const long = 'x'.repeat(50);
    const lines = await linesOf(
      40,
      `{"method":"a","params":{"id":1,"s":"\\"},${long}`,
      `${long}"},"id":`,
      `"é-7"}\n{"ok":1}\n`,
    );
    expect(lines[1]).toBe('{"ok":1}');
    const [oversized] = lines as [OversizedMessage];
    expect(oversized).toBeInstanceOf(OversizedMessage);
    expect(oversized.length).toBeGreaterThan(100);
    expect(oversized.id).toEqual({ token: '"é-7"', key: '"é-7"' });
  });

  it('of exactly the bound are accepted', async () => {
    expect(await linesOf(4, '1234\n12345\n')).toEqual(['1234', expect.any(OversizedMessage)]);
  });

  it('beyond the bound have no id if they are not requests', async () => {
    const pad = ' '.repeat(100);
    for (const text of [`{"id":1,${pad}"result":{}}`, `[{"id":1,"method":"a"}${pad}]`, `${pad}x`]) {
      const [oversized] = (await linesOf(10, text)) as [OversizedMessage];
      expect(oversized.id).toBeUndefined();
    }
  });
});
