import type { Sliced } from './async.ts';

/** A JSON parser with pauses, because a large message must not block the process. */

/** Characters after which the work may pause. */
const PAUSE_INTERVAL = 4_096;

/** Texts up to this length are parsed without a pause. */
export const MAX_LENGTH_AT_ONCE = 256 * 1024;

const QUOTE = 0x22;

const COMMA = 0x2c;

const MINUS = 0x2d;

const POINT = 0x2e;

const ZERO = 0x30;

const COLON = 0x3a;

const OPEN_BRACKET = 0x5b;

const BACKSLASH = 0x5c;

const OPEN_BRACE = 0x7b;

const CLOSE_BRACE = 0x7d;

/** Not a position in a text. */
const NOWHERE = -1;

/** The result of {@link parseJson}. */
export interface ParsedJson {
  readonly value: unknown;
  /** False only if no object has duplicate keys. Small texts are not checked. */
  readonly mayRepeatKeys: boolean;
}

/**
 * Parses like `JSON.parse`, but can pause within a large text.
 *
 * @throws {SyntaxError} if the text is not JSON.
 */
export function* parseJson(text: string): Sliced<ParsedJson> {
  if (text.length <= MAX_LENGTH_AT_ONCE) return { value: JSON.parse(text), mayRepeatKeys: true };
  const builder = new ValueBuilder();
  if (!(yield* readJson(text, builder))) throw new SyntaxError('Invalid syntax');
  return { value: builder.value, mayRepeatKeys: builder.repeatsKeys };
}

/** True if `JSON.parse` accepts the text. Creates no values and can pause. */
export function isJson(text: string): Sliced<boolean> {
  return readJson(text, undefined);
}

/** Returns false if the text is not JSON. The builder's value is then incomplete. */
function* readJson(text: string, builder: ValueBuilder | undefined): Sliced<boolean> {
  /** The closing bracket or brace of each open container. */
  const open: number[] = [];
  let at = skipSpace(text, 0);
  let pauseAt = PAUSE_INTERVAL;
  for (;;) {
    if (at >= pauseAt) {
      pauseAt = at + PAUSE_INTERVAL;
      yield;
    }
    const code = text.charCodeAt(at);
    const isContainer = code === OPEN_BRACE || code === OPEN_BRACKET;
    if (isContainer) {
      builder?.open(code === OPEN_BRACE ? {} : []);
      at = skipSpace(text, at + 1);
      open.push(code + 2);
    } else {
      const end = findScalarEnd(text, at);
      if (end === NOWHERE) return false;
      if (end > pauseAt) yield;
      builder?.add(text.slice(at, end));
      at = skipSpace(text, end);
    }
    if (!isContainer || text.charCodeAt(at) === open.at(-1)) {
      while (open.length > 0 && text.charCodeAt(at) === open.at(-1)) {
        builder?.close();
        open.pop();
        at = skipSpace(text, at + 1);
      }
      if (open.length === 0) return at === text.length;
      if (text.charCodeAt(at) !== COMMA) return false;
      at = skipSpace(text, at + 1);
    }
    if (open.at(-1) !== CLOSE_BRACE) continue;
    const end = text.charCodeAt(at) === QUOTE ? findStringEnd(text, at) : NOWHERE;
    if (end === NOWHERE) return false;
    builder?.name(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== COLON) return false;
    at = skipSpace(text, at + 1);
  }
}

/** Builds a value from the tokens of a JSON text. */
class ValueBuilder {
  value: unknown;
  /** True if an object had a key twice. The last value of the key counts. */
  repeatsKeys = false;
  readonly #open: (Record<string, unknown> | unknown[])[] = [];
  /** The key of the next value. */
  #key = '';

  open(container: Record<string, unknown> | unknown[]): void {
    this.#put(container);
    this.#open.push(container);
  }

  close(): void {
    this.#open.pop();
  }

  name(token: string): void {
    this.#key = JSON.parse(token) as string;
  }

  /** `JSON.parse` copies a string, so a kept value does not keep the whole text in memory. */
  add(token: string): void {
    this.#put(JSON.parse(token));
  }

  #put(value: unknown): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.value = value;
    else if (Array.isArray(parent)) parent.push(value);
    else this.#set(parent, value);
  }

  #set(parent: Record<string, unknown>, value: unknown): void {
    const key = this.#key;
    if (Object.hasOwn(parent, key)) this.repeatsKeys = true;
    // An assignment would set the prototype.
    if (key !== '__proto__') parent[key] = value;
    else Object.defineProperty(parent, key, { ...ORDINARY, value });
  }
}

const ORDINARY = { writable: true, enumerable: true, configurable: true };

function skipSpace(text: string, start: number): number {
  for (let at = start; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}

function findScalarEnd(text: string, start: number): number {
  const code = text.charCodeAt(start);
  if (code === QUOTE) return findStringEnd(text, start);
  if (code === MINUS || isDigit(code)) return findNumberEnd(text, start);
  const word = ['true', 'false', 'null'].find((each) => text.startsWith(each, start));
  return word === undefined ? NOWHERE : start + word.length;
}

function findStringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < 0x20) return NOWHERE;
    if (code !== BACKSLASH) continue;
    at += 1;
    if ('"\\/bfnrt'.includes(text.charAt(at) || ' ')) continue;
    if (!/^u[\dA-Fa-f]{4}$/.test(text.slice(at, at + 5))) return NOWHERE;
    at += 4;
  }
  return NOWHERE;
}

function findNumberEnd(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
  at = text.charCodeAt(at) === ZERO ? at + 1 : findDigitsEnd(text, at);
  if (at !== NOWHERE && text.charCodeAt(at) === POINT) at = findDigitsEnd(text, at + 1);
  if (at === NOWHERE || !/[eE]/.test(text.charAt(at))) return at;
  return findDigitsEnd(text, /[+-]/.test(text.charAt(at + 1)) ? at + 2 : at + 1);
}

function findDigitsEnd(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at === start ? NOWHERE : at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
