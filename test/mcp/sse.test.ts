import { describe, expect, it } from 'vitest';
import { readEvents } from '../../src/mcp/sse.ts';

async function* chunks(parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

async function eventsOf(bytes: Buffer, size = bytes.length, limit = 1000): Promise<string[]> {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  const events: string[] = [];
  for await (const { data } of readEvents(chunks(parts), limit)) events.push(data);
  return events;
}

describe('an event stream', () => {
  const stream = Buffer.from(
    '\ufeff: comment\r\nid: 1\ndata:\n\nevent: message\ndata: {"a":\ndata: "é😀"}\n\rodd: x\nretry: soon\ndata:{"b":2}\r\n\r\ndata: cut off',
  );

  it('is parsed the same way regardless of its chunks', async () => {
    const expected = ['{"a":\n"é😀"}', '{"b":2}'];
    for (let size = 1; size <= stream.length; size++) {
      expect(await eventsOf(stream, size), `in chunks of ${size}`).toEqual(expected);
    }
  });

  it('yields an event before it reads the next chunk', async () => {
    const asked: string[] = [];
    async function* slow(): AsyncGenerator<Buffer> {
      asked.push('first');
      yield Buffer.from('data: 1\n\n');
      asked.push('second');
      yield Buffer.from('data: 2\n\n');
    }
    const events = readEvents(slow(), 100);
    expect(await events.next()).toEqual({
      done: false,
      value: { type: 'message', data: '1' },
    });
    expect(asked).toEqual(['first']);
  });

  it('may end with a carriage return, which ends its last event', async () => {
    expect(await eventsOf(Buffer.from('data: 1\r\r'))).toEqual(['1']);
    expect(await eventsOf(Buffer.from('data: 1\r'))).toEqual([]);
  });

  it('is rejected if an event is larger than the bound', async () => {
    const large = Buffer.from(`data: ${'x'.repeat(2000)}\n\n`);
    await expect(eventsOf(large, 100)).rejects.toThrow('larger than 1000');
  });

  it('has U+FFFD for bytes that are not UTF-8', async () => {
    expect(await eventsOf(Buffer.from('data: caf\xe9\n\n', 'latin1'))).toEqual(['caf\ufffd']);
  });
});
