import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { AgentCoreError, getErrorMessage } from '../error.ts';

/** No server applies more. The limit matters because each encoding can expand data 1,000 times. */
const MAX_ENCODINGS = 3;

/** The low half of a zlib header's first byte. Any other value means deflate without a header. */
const ZLIB_METHOD = 8;

/** Creates a decoder for a body with this first byte. */
type DecoderFactory = (first: number) => Transform;

const DECODERS: Readonly<Record<string, DecoderFactory>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  // Servers disagree on the meaning of "deflate", so accept both (RFC 9110, 8.4.1.2).
  deflate: (first) => ((first & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
};

/** Parses the encodings of a body, in the order of application. */
export function parseContentEncodings(header: string | undefined): readonly string[] {
  if (!header) return [];
  const names = header.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'identity');
}

/**
 * Decodes a body. Each decoded chunk is passed on before the next one is read, so stream events are
 * not delayed.
 *
 * @throws {AgentCoreError} `protocol` if it cannot be decoded. Errors of the body are rethrown.
 */
export async function* decodeBody(
  body: AsyncIterable<Buffer>,
  encodings: readonly string[],
): AsyncGenerator<Buffer, void, void> {
  if (encodings.length > MAX_ENCODINGS) {
    throw createDecodingError(encodings, `it has ${encodings.length} encodings`);
  }
  let chunks = body;
  for (const encoding of encodings.toReversed()) {
    const factory = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (!factory) throw createDecodingError(encodings, 'the encoding is not known');
    chunks = decodeOnce(chunks, factory);
  }
  try {
    yield* chunks;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // zlib's own errors. All others come from the connection.
    const isOfDecoder = typeof code === 'string' && /^(Z_|ERR_(_|BROTLI))/.test(code);
    throw isOfDecoder ? createDecodingError(encodings, getErrorMessage(error), error) : error;
  }
}

async function* decodeOnce(
  body: AsyncIterable<Buffer>,
  create: DecoderFactory,
): AsyncGenerator<Buffer, void, void> {
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  // An absent body is empty in any encoding.
  if (first.done) return;
  const decoder = create(first.value[0] ?? 0);
  const all = async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  // Ignored here: the loop below throws the decoder's errors.
  pipeline(all, decoder, () => undefined);
  for await (const chunk of decoder) yield chunk as Buffer;
}

function createDecodingError(
  encodings: readonly string[],
  why: string,
  cause?: unknown,
): AgentCoreError {
  const names = JSON.stringify(encodings.join(', ').slice(0, 100));
  return new AgentCoreError(
    'protocol',
    `Could not decode the answer with the content encoding ${names}: ${why}. Have the server send gzip, deflate, br or no encoding`,
    { cause, data: { outcome: 'unknown' } },
  );
}
