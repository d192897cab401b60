import type { Sliced } from '../base/async.ts';

/**
 * Locates values in JSON bytes without parsing them, so unchanged parts keep their original bytes.
 * All functions require valid JSON, as accepted by `JSON.parse`.
 */

/** A range of bytes from `start` up to, but not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Bytes after which the work may pause. */
const STRETCH = 4_096;

/** Bytes of a string that a loop searches. A native search costs more to begin. */
const MAX_LOOP_LENGTH = 64;

const QUOTE = 0x22;

const COMMA = 0x2c;

const COLON = 0x3a;

const OPEN_BRACKET = 0x5b;

const BACKSLASH = 0x5c;

const CLOSE_BRACKET = 0x5d;

const OPEN_BRACE = 0x7b;

const CLOSE_BRACE = 0x7d;

const SPACE = 0x20;

/**
 * A member whose key occurs again later in the same object. The span includes the comma after it.
 */
interface RepeatedMember extends Span {
  readonly key: string;
  /** 1 for members of the outermost object. */
  readonly depth: number;
}

/**
 * Members ignored by `JSON.parse` because a later member has the same key. Covers all depths and
 * all escapes of keys. Adjacent members form one span. Pauses within a large message.
 */
export function* findRepeatedMembers(bytes: Buffer): Sliced<RepeatedMember[]> {
  const repeated: RepeatedMember[] = [];
  /**
   * Per open object: the start of each member and the last index of each key. `undefined` for
   * arrays.
   */
  const open: ({ readonly starts: number[]; readonly last: Map<string, number> } | undefined)[] =
    [];
  let pauseAt = STRETCH;
  for (let at = 0; at < bytes.length; at++) {
    if (at >= pauseAt) {
      pauseAt = at + STRETCH;
      yield;
    }
    switch (bytes[at]) {
      case OPEN_BRACE:
        open.push({ starts: [], last: new Map() });
        break;
      case OPEN_BRACKET:
        open.push(undefined);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        break;
      case QUOTE: {
        const end = findStringEnd(bytes, at);
        const object = open.at(-1);
        if (object && bytes[skipSpace(bytes, end)] === COLON) {
          const key = readStringAt(bytes, at, end);
          const earlier = object.last.get(key);
          object.last.set(key, object.starts.push(at) - 1);
          if (earlier !== undefined) {
            const [start, next] = object.starts.slice(earlier, earlier + 2) as [number, number];
            const before = repeated.at(-1);
            const isAdjacent = before?.end === start;
            if (isAdjacent) repeated.pop();
            const first = isAdjacent ? before : { start, key };
            repeated.push({ start: first.start, end: next, key: first.key, depth: open.length });
          }
          // Step over the colon only. The string after it is a value, never a key.
          at = skipSpace(bytes, end);
        } else {
          at = end - 1;
        }
        break;
      }
    }
  }
  return repeated;
}

/** Removes spans from the bytes. Spans may be nested and in any order. */
export function withoutSpans(bytes: Buffer, spans: readonly Span[]): Buffer {
  const kept: Buffer[] = [];
  let at = 0;
  for (const { start, end } of spans.toSorted((one, other) => one.start - other.start)) {
    if (start > at) kept.push(bytes.subarray(at, start));
    at = Math.max(at, end);
  }
  kept.push(bytes.subarray(at));
  return Buffer.concat(kept);
}

/** Removes the member at a path of keys. */
export function withoutMember(bytes: Buffer, path: readonly string[]): Buffer {
  const parent = findSpanAt(bytes, path.slice(0, -1));
  const member = parent && findMember(bytes, path.at(-1) as string, parent);
  if (!member) return bytes;
  const next = skipSpace(bytes, member.end);
  if (bytes[next] === COMMA) return withoutSpans(bytes, [{ start: member.key, end: next + 1 }]);
  let before = member.key - 1;
  while ((bytes[before] as number) <= SPACE) before--;
  const start = bytes[before] === COMMA ? before : member.key;
  return withoutSpans(bytes, [{ start, end: member.end }]);
}

interface Member extends Span {
  /** Start of the key. The span itself covers the value. */
  readonly key: number;
}

/** Finds a member of the object at `within`. */
function findMember(
  bytes: Buffer,
  key: string,
  within: Span = getWholeSpan(bytes),
): Member | undefined {
  let at = skipSpace(bytes, within.start);
  if (bytes[at] !== OPEN_BRACE) return undefined;
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const endOfKey = findStringEnd(bytes, at);
    const start = skipSpace(bytes, skipSpace(bytes, endOfKey) + 1);
    const end = findValueEnd(bytes, start);
    if (readStringAt(bytes, at, endOfKey) === key) return { key: at, start, end };
    at = skipToNextItem(bytes, end);
  }
  return undefined;
}

/** Returns the keys of the object at `within`, in order. Empty if the value is not an object. */
export function readKeys(bytes: Buffer, within: Span = getWholeSpan(bytes)): string[] {
  const keys: string[] = [];
  let at = skipSpace(bytes, within.start);
  if (bytes[at] !== OPEN_BRACE) return keys;
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const endOfKey = findStringEnd(bytes, at);
    keys.push(readStringAt(bytes, at, endOfKey));
    const start = skipSpace(bytes, skipSpace(bytes, endOfKey) + 1);
    at = skipToNextItem(bytes, findValueEnd(bytes, start));
  }
  return keys;
}

/** Returns the spans of an array's elements, in order. Empty if the value is not an array. */
export function findElements(bytes: Buffer, within: Span = getWholeSpan(bytes)): Span[] {
  const elements: Span[] = [];
  let at = skipSpace(bytes, within.start);
  if (bytes[at] !== OPEN_BRACKET) return elements;
  at = skipSpace(bytes, at + 1);
  while (at < within.end && bytes[at] !== CLOSE_BRACKET) {
    const end = findValueEnd(bytes, at);
    elements.push({ start: at, end });
    at = skipToNextItem(bytes, end);
  }
  return elements;
}

/** The value at a path of keys; `undefined` if the path does not exist. */
export function findSpanAt(bytes: Buffer, path: readonly string[]): Span | undefined {
  let span: Span | undefined = getWholeSpan(bytes);
  for (const key of path) {
    span = span && findMember(bytes, key, span);
  }
  return span;
}

/** Replaces a value with another JSON text. */
export function splice(bytes: Buffer, span: Span, text: string): Buffer {
  return Buffer.concat([
    bytes.subarray(0, span.start),
    Buffer.from(text, 'utf8'),
    bytes.subarray(span.end),
  ]);
}

function getWholeSpan(bytes: Buffer): Span {
  return { start: 0, end: bytes.length };
}

function findValueEnd(bytes: Buffer, start: number): number {
  const first = bytes[start];
  if (first === QUOTE) return findStringEnd(bytes, start);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return findContainerEnd(bytes, start);
  let at = start;
  while (at < bytes.length && !isScalarEnd(bytes[at] as number)) at++;
  return at;
}

function isScalarEnd(byte: number): boolean {
  return byte <= SPACE || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
}

function findContainerEnd(bytes: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = findStringEnd(bytes, at) - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return bytes.length;
}

/** The index after the closing quote of the string at `start`. */
function findStringEnd(bytes: Buffer, start: number): number {
  const near = Math.min(bytes.length, start + MAX_LOOP_LENGTH);
  let at = start + 1;
  for (; at < near; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  let quote = bytes.indexOf(QUOTE, at);
  while (quote !== -1 && isEscaped(bytes, quote)) quote = bytes.indexOf(QUOTE, quote + 1);
  return quote === -1 ? bytes.length : quote + 1;
}

function isEscaped(bytes: Buffer, at: number): boolean {
  let backslashes = 0;
  while (bytes[at - 1 - backslashes] === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}

function readStringAt(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start + 1, end - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

function skipToNextItem(bytes: Buffer, end: number): number {
  const at = skipSpace(bytes, end);
  return bytes[at] === COMMA ? skipSpace(bytes, at + 1) : at;
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length && (bytes[at] as number) <= SPACE) at++;
  return at;
}
