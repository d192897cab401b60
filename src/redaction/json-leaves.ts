import type { Sliced } from '../base/async.ts';

/** The position of a leaf (a string or a number) in a JSON text. */
export interface LeafPlace {
  /** True if the leaf is the name of a member, not a value. */
  readonly isKey: boolean;
  /**
   * Names of the members around the leaf, without array indices. The last one is its own name.
   */
  readonly path: readonly string[];
}

/**
 * The JSON text of a replaced leaf. Available at once in most cases, because pauses have a cost.
 */
export type Rewritten = string | undefined | Sliced<string | undefined>;

/** Replaces leaves. `undefined` keeps the bytes of a leaf. */
export interface LeafRewriter {
  /** Returns a JSON text. For a key, the JSON text of a string. */
  string(text: string, place: LeafPlace): Rewritten;
  /** @param token The unchanged JSON text of the number. */
  number(token: string, place: LeafPlace): Rewritten;
}

/** Characters between two pauses of the work. */
const STRETCH = 4_096;

const QUOTE = 0x22;

const BACKSLASH = 0x5c;

/**
 * Replaces some strings and numbers of a JSON text, and keeps all other bytes. Input and output are
 * valid for `JSON.parse`, at any depth. If changed keys of an object become equal, they get
 * distinct numbers.
 *
 * @param numberFrom Number of the first changed key. By default it gets none, and the second equal
 *   key gets 2.
 */
export function* rewriteLeaves(
  json: string,
  rewriter: LeafRewriter,
  numberFrom?: number,
): Sliced<string> {
  const path: string[] = [];
  /** For each open container, the length of the path around it. */
  const open: number[] = [];
  /** The replaced keys, by object. */
  const written: (Map<string, number> | undefined)[] = [];
  const rewritten = new TextBuilder();
  let copied = 0;
  let at = 0;
  let pauseAt = STRETCH;

  while (at < json.length) {
    if (at >= pauseAt) {
      pauseAt = at + STRETCH;
      yield;
    }
    const code = json.charCodeAt(at);
    if (code === QUOTE) {
      const end = findStringEnd(json, at);
      const isKey = isFollowedByColon(json, end);
      const text = unescapeJsonString(json, at, end);
      if (end > pauseAt) yield;
      if (isKey) path[open.at(-1) as number] = text;
      if (isKey) path.length = (open.at(-1) as number) + 1;
      const made = rewriter.string(text, { isKey, path });
      const token = typeof made === 'object' ? yield* made : made;
      if (token !== undefined) {
        rewritten.add(json.slice(copied, at));
        rewritten.add(isKey ? makeKeyUnique(token, written, open.length, numberFrom) : token);
        copied = end;
      }
      at = end;
    } else if (code === 0x7b || code === 0x5b) {
      open.push(path.length);
      written.length = open.length;
      at += 1;
    } else if (code === 0x7d || code === 0x5d) {
      path.length = open.pop() as number;
      at += 1;
    } else if (isNumberCharacter(code)) {
      let end = at + 1;
      while (end < json.length && isNumberCharacter(json.charCodeAt(end))) end++;
      // The e of `true` and `false` matches too. It is not a number.
      const first = json.charCodeAt(at);
      const isNumber = first === 0x2d || (first >= 0x30 && first <= 0x39);
      const made = isNumber && rewriter.number(json.slice(at, end), { isKey: false, path });
      const token = typeof made === 'object' ? yield* made : made;
      if (typeof token === 'string') {
        rewritten.add(json.slice(copied, at) + token);
        copied = end;
      }
      at = end;
    } else {
      at += 1;
    }
  }
  if (copied === 0) return json;
  rewritten.add(json.slice(copied));
  return rewritten.text;
}

/** True if an object in a valid JSON text has a duplicate key. */
export function* hasDuplicateKey(json: string): Sliced<boolean> {
  /** The keys of each open object; `undefined` for arrays. */
  const open: (Set<string> | undefined)[] = [];
  let pauseAt = STRETCH;
  for (let at = 0; at < json.length; at++) {
    if (at >= pauseAt) {
      pauseAt = at + STRETCH;
      yield;
    }
    const code = json.charCodeAt(at);
    if (code === 0x7b) open.push(new Set());
    else if (code === 0x5b) open.push(undefined);
    else if (code === 0x7d || code === 0x5d) open.pop();
    else if (code === QUOTE) {
      const end = findStringEnd(json, at);
      const keys = open.at(-1);
      if (keys && isFollowedByColon(json, end)) {
        const key = unescapeJsonString(json, at, end);
        if (keys.has(key)) return true;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return false;
}

function makeKeyUnique(
  token: string,
  written: (Map<string, number> | undefined)[],
  depth: number,
  numberFrom: number | undefined,
): string {
  const keys = written[depth] ?? new Map<string, number>();
  written[depth] = keys;
  const times = (keys.get(token) ?? 0) + 1;
  keys.set(token, times);
  if (times === 1 && numberFrom === undefined) return token;
  return `${token.slice(0, -1)} (${(numberFrom ?? 1) + times - 1})"`;
}

function findStringEnd(json: string, start: number): number {
  const quote = json.indexOf('"', start + 1);
  if (quote === -1) return json.length;
  if (json.charCodeAt(quote - 1) !== BACKSLASH) return quote + 1;
  for (let at = start + 1; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return json.length;
}

function unescapeJsonString(json: string, start: number, end: number): string {
  const written = json.slice(start + 1, end - 1);
  return written.includes('\\') ? (JSON.parse(json.slice(start, end)) as string) : written;
}

function isFollowedByColon(json: string, start: number): boolean {
  let at = start;
  while (json.charCodeAt(at) <= 0x20) at++;
  return json.charCodeAt(at) === 0x3a;
}

/** True for digits, signs, the decimal point and the e of an exponent. */
function isNumberCharacter(code: number): boolean {
  return (
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === 0x2b ||
    code === 0x2e ||
    code === 0x65 ||
    code === 0x45
  );
}

/**
 * Characters of a piece. Without pieces, the engine joins many small strings in one step at the
 * end.
 */
const PIECE = 16 * 1024;

/** Builds a long text from many parts. Spreads the work over the calls. */
export class TextBuilder {
  readonly #pieces: string[] = [];
  #parts: string[] = [];
  #length = 0;

  add(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length < PIECE) return;
    // Use `join`, because it copies the characters. A concatenated string refers to its parts.
    this.#pieces.push(this.#parts.join(''));
    this.#parts = [];
    this.#length = 0;
  }

  get text(): string {
    return [...this.#pieces, ...this.#parts].join('');
  }
}

/** Maximum characters to serialize without a pause. */
const MAX_PIECE_LENGTH = 64 * 1024;

/** Serializes a string like `JSON.stringify`, with pauses if it is long. */
export function* serializeString(text: string): Sliced<string> {
  if (text.length <= MAX_PIECE_LENGTH) return JSON.stringify(text);
  const written = new TextBuilder();
  written.add('"');
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + MAX_PIECE_LENGTH);
    // Do not split a surrogate pair: `JSON.stringify` would escape its halves.
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
    written.add(JSON.stringify(text.slice(at, end)).slice(1, -1));
    at = end;
    yield;
  }
  written.add('"');
  return written.text;
}
