import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { AgentCoreError, messageOf } from '../error.ts';

/** More than any server applies one after the other; each may multiply the size by a thousand. */
const MAX_ENCODINGS = 3;

/** The low half of a zlib header's first byte; what has another one is deflate without a header. */
const ZLIB_METHOD = 8;

/** Makes a decoder for a body that begins with a byte. */
type DecoderFactory = (first: number) => Transform;

const DECODERS: Readonly<Record<string, DecoderFactory>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  // Servers disagree on what "deflate" means, so that readers take both (RFC 9110, 8.4.1.2).
  deflate: (first) => ((first & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
};

/** The encodings of a body in the order in which they were applied. */
export function contentEncodings(header: string | undefined): readonly string[] {
  if (!header) return [];
  const names = header.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'identity');
}

/**
 * A body without its encodings. What a chunk decodes to is handed on before the next one is read, so
 * that events of a stream arrive one by one.
 *
 * @throws {AgentCoreError} `protocol` if it cannot be decoded; and what the body throws.
 */
export async function* decoded(
  body: AsyncIterable<Buffer>,
  encodings: readonly string[],
): AsyncGenerator<Buffer, void, void> {
  if (encodings.length > MAX_ENCODINGS) {
    throw undecodable(encodings, `it has ${encodings.length} encodings`);
  }
  let chunks = body;
  for (const encoding of encodings.toReversed()) {
    const factory = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (!factory) throw undecodable(encodings, 'the encoding is not known');
    chunks = decodedOnce(chunks, factory);
  }
  try {
    yield* chunks;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // zlib's own errors; all others are the connection's.
    const isOfDecoder = typeof code === 'string' && /^(Z_|ERR_(_|BROTLI))/.test(code);
    throw isOfDecoder ? undecodable(encodings, messageOf(error), error) : error;
  }
}

async function* decodedOnce(
  body: AsyncIterable<Buffer>,
  create: DecoderFactory,
): AsyncGenerator<Buffer, void, void> {
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  // No body at all is an empty one, whatever its encoding.
  if (first.done) return;
  const decoder = create(first.value[0] ?? 0);
  const all = async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  // Its errors are those of the decoder, which the loop below throws.
  pipeline(all, decoder, () => undefined);
  for await (const chunk of decoder) yield chunk as Buffer;
}

function undecodable(encodings: readonly string[], why: string, cause?: unknown): AgentCoreError {
  const names = JSON.stringify(encodings.join(', ').slice(0, 100));
  return new AgentCoreError(
    'protocol',
    `Could not decode the answer with the content encoding ${names}: ${why}. Have the server send gzip, deflate, br or no encoding`,
    { cause, data: { outcome: 'unknown' } },
  );
}
