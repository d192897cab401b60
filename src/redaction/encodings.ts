import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { awaitResult, type Sliced } from '../base/async.ts';
import { isJson } from '../base/json-parser.ts';

/** The encoding of a text within a string. */
export type Layer =
  | { readonly kind: 'json' }
  /** Each line is a JSON text or blank. */
  | { readonly kind: 'json-lines' }
  /** A text encoded with `encodeURIComponent`. */
  | { readonly kind: 'url'; readonly text: string }
  | Encoded;

/** A text in base64 or hexadecimal digits, compressed or not. Base64 may be a `data:` URL. */
interface Encoded {
  readonly kind: 'encoded';
  readonly prefix: string;
  readonly text: string;
  readonly style: 'base64' | 'base64url' | 'hex';
  readonly isPadded: boolean;
  readonly isUpperCase: boolean;
  readonly compression: Compression | undefined;
}

type Compression = keyof typeof COMPRESSIONS;

/** Maximum size of a decompressed text in bytes. Larger content is not checked. */
const MAX_DECOMPRESSED_BYTES = 8 * 1024 * 1024;

/** Maximum bytes to compress or decompress in this thread. */
const MAX_BYTES_AT_ONCE = 64 * 1024;

const COMPRESSIONS = {
  gzip: {
    compressAtOnce: zlib.gzipSync,
    compress: promisify<Buffer, Buffer>(zlib.gzip),
    decompressAtOnce: zlib.gunzipSync,
    decompress: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gunzip),
  },
  deflate: {
    compressAtOnce: zlib.deflateSync,
    compress: promisify<Buffer, Buffer>(zlib.deflate),
    decompressAtOnce: zlib.inflateSync,
    decompress: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflate),
  },
  'deflate-raw': {
    compressAtOnce: zlib.deflateRawSync,
    compress: promisify<Buffer, Buffer>(zlib.deflateRaw),
    decompressAtOnce: zlib.inflateRawSync,
    decompress: promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.inflateRaw),
  },
} as const;

const MIN_LENGTH = 16;

/** Characters between two pauses of the work. */
const STRETCH = 4_096;

/** Bytes below which raw deflate has one block with fixed codes. */
const ONE_BLOCK_BYTES = 64;

/** Characters to check first. In most texts they exclude an encoding. */
const BEGINNING = 256;

const BASE64_BEGINNING = /^[A-Za-z\d+/_-]+={0,2}$/;

const HEX_BEGINNING = /^(?:[\da-f]+|[\dA-F]+)$/;

const URL_BEGINNING = /^(?:[\w.!~*'()-]|%[\dA-F]{2})+%?[\dA-F]?$/;

/** A UUID. Its hyphens make it look like base64url, but it contains no text. */
const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i;

const DATA_URL = /^data:[^,]{0,200};base64,/i;

const BLANK = /^[ \t\r]*$/;

/** Control characters other than tab and line breaks. */
const CONTROL = /[^\P{Cc}\t\n\r]/u;

/** Maximum characters of a text for the fast check of {@link isSimple}. */
const SHORT = 1_024;

const MAY_BE_LAYERED = /^\s*[[{"]|%|[A-Za-z\d+/_-]{16}/;

/** True if a text is short, and neither is nor contains an encoded text. A fast check. */
export function isSimple(text: string): boolean {
  return text.length <= SHORT && (!MAY_BE_LAYERED.test(text) || UUID.test(text));
}

/** Decodes a text if it is encoded as a whole. Returns `undefined` otherwise. */
export function* decodeLayer(text: string): Sliced<Layer | undefined> {
  if (isOpening(text)) {
    if (yield* isJson(text)) return { kind: 'json' };
    return (yield* hasJsonLines(text)) ? { kind: 'json-lines' } : undefined;
  }
  if (text.includes('%')) return yield* decodeUrlComponent(text);
  return text.length >= MIN_LENGTH ? yield* decodeText(text) : undefined;
}

function isOpening(text: string): boolean {
  const first = text.trimStart()[0];
  return first === '[' || first === '{' || first === '"';
}

function* hasJsonLines(text: string): Sliced<boolean> {
  if (!text.includes('\n')) return false;
  for (let at = 0; at <= text.length; ) {
    const end = findLineEnd(text, at);
    const line = text.slice(at, end);
    if (!BLANK.test(line) && !(yield* isJson(line))) return false;
    at = end + 1;
    yield;
  }
  return true;
}

/** Returns the end of the line at `start`, before its line feed. */
export function findLineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  return end === -1 ? text.length : end;
}

function* decodeUrlComponent(text: string): Sliced<Layer | undefined> {
  if (!URL_BEGINNING.test(text.slice(0, BEGINNING))) return undefined;
  try {
    yield;
    const inner = decodeURIComponent(text);
    yield;
    return encodeURIComponent(inner) === text ? { kind: 'url', text: inner } : undefined;
  } catch {
    return undefined;
  }
}

/** An encoded text within other text, such as the data of a `data:` URL. */
interface EmbeddedLayer {
  readonly start: number;
  readonly end: number;
  readonly layer: Encoded;
}

/** Finds the next encoded text within a text, from position `from` on. */
export function* findEmbeddedLayer(text: string, from: number): Sliced<EmbeddedLayer | undefined> {
  if (text.length <= MIN_LENGTH) return undefined;
  let pauseAt = from + STRETCH;
  for (let at = from; at < text.length; at++) {
    if (at >= pauseAt) {
      pauseAt = at + STRETCH;
      yield;
    }
    let start = at;
    while (isBase64Character(text.charCodeAt(at))) at++;
    if (at - start < MIN_LENGTH) continue;
    const padded = text.startsWith('==', at) ? at + 2 : text[at] === '=' ? at + 1 : at;
    if (start === 0 && padded === text.length && !isHexPrefix(text, start)) return undefined;
    if (isHexPrefix(text, start)) start += 2;
    const layer = yield* decodeText(text.slice(start, padded));
    if (layer) return { start, end: padded, layer };
  }
  return undefined;
}

function isHexPrefix(text: string, at: number): boolean {
  return text[at] === '0' && (text[at + 1] === 'x' || text[at + 1] === 'X');
}

/** True for letters, digits and `+ / - _`. */
function isBase64Character(code: number): boolean {
  return code < 128 && OF_BASE64[code] === 1;
}

const OF_BASE64 = new Uint8Array(128);

for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_') {
  OF_BASE64[character.charCodeAt(0)] = 1;
}

export function isBlank(line: string): boolean {
  return BLANK.test(line);
}

/**
 * Encodes a text in a layer. Returns `undefined` if the compression needs another thread, and the
 * caller is synchronous.
 */
export function* encodeLayer(
  layer: Omit<Encoded, 'text'>,
  text: string,
): Sliced<string | undefined> {
  const { prefix, style, isPadded, isUpperCase, compression } = layer;
  yield;
  const plain = Buffer.from(text);
  const bytes = compression ? yield* compressBytes(plain, compression) : plain;
  if (!bytes) return undefined;
  yield;
  const written = bytes.toString(style);
  if (style === 'hex') return prefix + (isUpperCase ? written.toUpperCase() : written);
  const unpadded = written.slice(0, Math.ceil((bytes.length * 4) / 3));
  return prefix + (isPadded ? unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '=') : unpadded);
}

/** True if two layers have the same encoding. */
export function isSameStyle(one: Encoded, other: Layer | undefined): boolean {
  return (
    other?.kind === 'encoded' &&
    other.style === one.style &&
    other.isPadded === one.isPadded &&
    other.isUpperCase === one.isUpperCase &&
    other.compression === one.compression
  );
}

function* decodeText(text: string): Sliced<Encoded | undefined> {
  if (UUID.test(text)) return undefined;
  const prefix = DATA_URL.exec(text.slice(0, BEGINNING))?.[0] ?? '';
  const written = text.slice(prefix.length);
  const beginning = written.slice(0, BEGINNING);
  if (!BASE64_BEGINNING.test(beginning)) return undefined;
  const isHex = prefix === '' && written.length % 2 === 0 && HEX_BEGINNING.test(beginning);
  return yield* isHex ? decodeHex(written) : decodeBase64(prefix, written);
}

function* decodeHex(written: string): Sliced<Encoded | undefined> {
  yield;
  const bytes = Buffer.from(written, 'hex');
  if (bytes.length * 2 !== written.length || !isUtf8(bytes)) return undefined;
  yield;
  const text = bytes.toString();
  // Exclude binary data: most hexadecimal numbers do not encode a text.
  if (CONTROL.test(text)) return undefined;
  return {
    kind: 'encoded',
    prefix: '',
    text,
    style: 'hex',
    isPadded: true,
    isUpperCase: /[A-F]/.test(written),
    compression: undefined,
  };
}

function* decodeBase64(prefix: string, written: string): Sliced<Encoded | undefined> {
  yield;
  const style = written.includes('-') || written.includes('_') ? 'base64url' : 'base64';
  const bytes = Buffer.from(written, style);
  const isPadded = written.length % 4 === 0;
  const form = { kind: 'encoded', prefix: '', style, isPadded, isUpperCase: false } as const;
  const content = yield* decodeContent(bytes);
  if (!content) return undefined;
  yield;
  const plain = { ...form, compression: undefined };
  // Accept a text only if encoding it again returns the same characters.
  const isWhole = content.compression
    ? bytes.toString(style).replace(/=+$/, '') === written.replace(/={0,2}$/, '')
    : (yield* encodeLayer(plain, content.text)) === written;
  return isWhole ? { ...form, prefix, ...content } : undefined;
}

/** Decodes bytes to text, and decompresses them first if necessary. */
function* decodeContent(bytes: Buffer): Sliced<Pick<Encoded, 'text' | 'compression'> | undefined> {
  if (isUtf8(bytes)) return { text: bytes.toString(), compression: undefined };
  const compression = detectCompression(bytes);
  if (!compression) return undefined;
  const inner = yield* decompressBytes(bytes, compression);
  return inner && isUtf8(inner) ? { text: inner.toString(), compression } : undefined;
}

function* compressBytes(plain: Buffer, compression: Compression): Sliced<Buffer | undefined> {
  const { compressAtOnce, compress } = COMPRESSIONS[compression];
  if (plain.length <= MAX_BYTES_AT_ONCE) return compressAtOnce(plain);
  return yield* awaitResult(() => compress(plain));
}

/** Returns `undefined` if the bytes are not compressed, or exceed the maximum size. */
function* decompressBytes(bytes: Buffer, compression: Compression): Sliced<Buffer | undefined> {
  const { decompressAtOnce, decompress } = COMPRESSIONS[compression];
  try {
    return decompressAtOnce(bytes, { maxOutputLength: MAX_BYTES_AT_ONCE });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') return undefined;
  }
  const options = { maxOutputLength: MAX_DECOMPRESSED_BYTES };
  return yield* awaitResult(() => decompress(bytes, options).catch(() => undefined));
}

/**
 * Detects the compression by its header (RFC 1950, 1951, 1952). For raw deflate, only the type of
 * the first block is available.
 */
function detectCompression(bytes: Buffer): Compression | undefined {
  const [first = 0, second = 0] = bytes;
  if (first === 0x1f && second === 0x8b) return 'gzip';
  if ((first & 0x0f) === 8 && first >> 4 <= 7 && ((first << 8) | second) % 31 === 0) {
    return 'deflate';
  }
  const isRaw =
    bytes.length < ONE_BLOCK_BYTES ? (first & 7) === 3 : [1, 2].includes((first >> 1) & 3);
  return isRaw ? 'deflate-raw' : undefined;
}
