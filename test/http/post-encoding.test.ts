import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeBody, parseContentEncodings } from '../../src/http/post.ts';

async function* chunksOf(bytes: Buffer, size = bytes.length): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(body: AsyncIterable<Buffer>, header: string): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of decodeBody(body, parseContentEncodings(header))) parts.push(part);
  return Buffer.concat(parts).toString();
}

const TEXT = '{"jsonrpc":"2.0","id":1,"result":{"text":"é"}}'.repeat(20);

describe('a response body with content encodings', () => {
  it.each<[string, Buffer]>([
    ['gzip', gzipSync(TEXT)],
    ['X-GZIP', gzipSync(TEXT)],
    ['br', brotliCompressSync(TEXT)],
    ['deflate', deflateSync(TEXT)],
    ['deflate', deflateRawSync(TEXT)],
    ['deflate, identity , gzip', gzipSync(deflateSync(TEXT))],
  ])('is decoded regardless of its chunks: %s', async (header, bytes) => {
    for (const size of [1, 7, bytes.length]) {
      expect(await decode(chunksOf(bytes, size), header)).toBe(TEXT);
    }
  });

  it('may be empty', async () => {
    expect(await decode(chunksOf(Buffer.alloc(0), 1), 'gzip')).toBe('');
  });

  it.each([
    ['zstd', gzipSync(TEXT), /not known/],
    ['toString', gzipSync(TEXT), /not known/],
    ['gzip', Buffer.from(TEXT), /header/],
    ['br', Buffer.alloc(100, 0xff), /"br"/],
    ['gzip', gzipSync(TEXT).subarray(0, 40), /end of file/],
    ['gzip, gzip, gzip, gzip', gzipSync(TEXT), /4 encodings/],
  ])(
    'fails with an error that names the encoding if it cannot be decoded: %s',
    async (header, bytes, why) => {
      const work = decode(chunksOf(bytes), header);
      await expect(work).rejects.toMatchObject({ code: 'protocol', data: { outcome: 'unknown' } });
      await expect(work).rejects.toThrow(why);
    },
  );

  it('fails if its connection fails', async () => {
    async function* cut(): AsyncGenerator<Buffer> {
      yield gzipSync(TEXT).subarray(0, 20);
      throw new Error('the connection is gone');
    }
    await expect(decode(cut(), 'gzip')).rejects.toThrow('the connection is gone');
  });

  it('is passed on event by event', async () => {
    const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
    const asked: number[] = [];
    async function* events(): AsyncGenerator<Buffer> {
      for (const number of [1, 2]) {
        asked.push(number);
        gzip.write(`data: ${number}\n\n`);
        yield await new Promise<Buffer>((resolve) => gzip.once('data', resolve));
      }
    }
    const parts = decodeBody(events(), ['gzip']);
    expect(String((await parts.next()).value)).toBe('data: 1\n\n');
    expect(String((await parts.next()).value)).toBe('data: 2\n\n');
    expect(asked).toEqual([1, 2]);
  });

  it('is not decoded further than it is read', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    let length = 0;
    for await (const part of decodeBody(chunksOf(bomb), ['gzip'])) {
      length += part.length;
      if (length > 1_000_000) break;
    }
    expect(length).toBeLessThan(2_000_000);
  });
});
