import { isUtf8 } from 'node:buffer';

/** What a string is when it is more than a text. */
export type Layer =
  | { readonly kind: 'json' }
  /** A JSON text in each line that is not blank. */
  | { readonly kind: 'json-lines' }
  /** A text as `encodeURIComponent` writes it. */
  | { readonly kind: 'url'; readonly text: string }
  | Base64;

/** A text of printable characters in base64, perhaps as a `data:` URL. */
interface Base64 {
  readonly kind: 'base64';
  readonly prefix: string;
  readonly text: string;
  readonly style: 'base64' | 'base64url';
  readonly isPadded: boolean;
}

const SHORTEST = 16;
const BASE64 = /^(?:[A-Za-z\d+/]+|[A-Za-z\d_-]+)={0,2}$/;
const BASE64_WORD = /[A-Za-z\d+/_-]{16,}={0,2}/g;
const DATA_URL = /^data:[^,]{0,200};base64,/i;
const URL_COMPONENT = /^(?:[\w.!~*'()-]|%[\dA-F]{2})+$/;
const BLANK = /^[ \t\r]*$/;

export function layerOf(text: string): Layer | undefined {
  if (/^\s*[[{"]/.test(text)) {
    if (isJson(text)) return { kind: 'json' };
    const lines = text.includes('\n') ? text.split('\n') : [];
    if (lines.length > 0 && lines.every((line) => BLANK.test(line) || isJson(line))) {
      return { kind: 'json-lines' };
    }
    return undefined;
  }
  if (text.includes('%')) return urlOf(text);
  return text.length >= SHORTEST ? base64Of(text) : undefined;
}

function urlOf(text: string): Layer | undefined {
  if (!URL_COMPONENT.test(text)) return undefined;
  try {
    const inner = decodeURIComponent(text);
    return encodeURIComponent(inner) === text ? { kind: 'url', text: inner } : undefined;
  } catch {
    return undefined;
  }
}

/** A text in base64 among other words, such as the one behind the comma of a `data:` URL. */
export interface EmbeddedLayer {
  readonly start: number;
  readonly end: number;
  readonly layer: Base64;
}

/** Where other texts stand in base64 within a text. */
export function* embeddedIn(text: string): Iterable<EmbeddedLayer> {
  if (text.length <= SHORTEST || text.search(BASE64_WORD) === -1) return;
  for (const { 0: word, index } of text.matchAll(BASE64_WORD)) {
    const layer = word.length < text.length ? base64Of(word) : undefined;
    if (layer) yield { start: index, end: index + word.length, layer };
  }
}

export function isBlank(line: string): boolean {
  return BLANK.test(line);
}

/** The string whose layer has this text in it. */
export function inBase64({ prefix, style, isPadded }: Base64, text: string): string {
  const encoded = Buffer.from(text).toString(style);
  const unpadded = encoded.replace(/=+$/, '');
  return prefix + (isPadded ? unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, '=') : unpadded);
}

export function isSameStyle(one: Base64, other: Layer | undefined): boolean {
  return other?.kind === 'base64' && other.style === one.style && other.isPadded === one.isPadded;
}

function base64Of(text: string): Base64 | undefined {
  const prefix = DATA_URL.exec(text)?.[0] ?? '';
  const encoded = text.slice(prefix.length);
  if (!BASE64.test(encoded)) return undefined;
  const style = /[-_]/.test(encoded) ? 'base64url' : 'base64';
  const bytes = Buffer.from(encoded, style);
  if (!isUtf8(bytes)) return undefined;
  const layer: Base64 = {
    kind: 'base64',
    prefix,
    text: bytes.toString(),
    style,
    isPadded: encoded.length % 4 === 0,
  };
  return inBase64(layer, layer.text) === text ? layer : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
