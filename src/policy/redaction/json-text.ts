import type { Sliced } from './slices.ts';
import { TextBuilder } from './text-builder.ts';

/** Characters after which the work may pause. */
const STRETCH = 4_096;
/** Characters of a string that are written in JSON without a pause. */
const LONGEST_PIECE = 64 * 1024;

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
/** What no place of a text has. */
const NOWHERE = -1;

/** Whether `JSON.parse` accepts a text. Unlike that it can pause, and makes no values. */
export function* isJson(text: string): Sliced<boolean> {
  /** The bracket or brace that closes each container that is open. */
  const open: number[] = [];
  let at = skipSpace(text, 0);
  let pauseAt = STRETCH;
  for (;;) {
    if (at >= pauseAt) {
      pauseAt = at + STRETCH;
      yield;
    }
    const code = text.charCodeAt(at);
    const isContainer = code === OPEN_BRACE || code === OPEN_BRACKET;
    if (isContainer) {
      at = skipSpace(text, at + 1);
      open.push(code + 2);
    } else {
      at = endOfScalar(text, at);
      if (at === NOWHERE) return false;
      at = skipSpace(text, at);
    }
    if (!isContainer || text.charCodeAt(at) === open.at(-1)) {
      while (open.length > 0 && text.charCodeAt(at) === open.at(-1)) {
        open.pop();
        at = skipSpace(text, at + 1);
      }
      if (open.length === 0) return at === text.length;
      if (text.charCodeAt(at) !== COMMA) return false;
      at = skipSpace(text, at + 1);
    }
    if (open.at(-1) === CLOSE_BRACE) at = endOfKey(text, at);
    if (at === NOWHERE) return false;
  }
}

/** Writes a string in JSON as `JSON.stringify` does. */
export function* jsonOf(text: string): Sliced<string> {
  if (text.length <= LONGEST_PIECE) return JSON.stringify(text);
  const written = new TextBuilder();
  written.add('"');
  for (let at = 0; at < text.length; ) {
    let end = Math.min(text.length, at + LONGEST_PIECE);
    // A lone half of a surrogate pair would be written as an escape.
    if ((text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end += 1;
    written.add(JSON.stringify(text.slice(at, end)).slice(1, -1));
    at = end;
    yield;
  }
  written.add('"');
  return written.text;
}

function skipSpace(text: string, start: number): number {
  for (let at = start; ; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
  }
}

/** Where the value behind a key begins. */
function endOfKey(text: string, start: number): number {
  if (text.charCodeAt(start) !== QUOTE) return NOWHERE;
  const end = endOfString(text, start);
  if (end === NOWHERE) return NOWHERE;
  const colon = skipSpace(text, end);
  return text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : NOWHERE;
}

function endOfScalar(text: string, start: number): number {
  const code = text.charCodeAt(start);
  if (code === QUOTE) return endOfString(text, start);
  if (code === MINUS || isDigit(code)) return endOfNumber(text, start);
  const word = ['true', 'false', 'null'].find((each) => text.startsWith(each, start));
  return word === undefined ? NOWHERE : start + word.length;
}

function endOfString(text: string, start: number): number {
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

function endOfNumber(text: string, start: number): number {
  let at = text.charCodeAt(start) === MINUS ? start + 1 : start;
  at = text.charCodeAt(at) === ZERO ? at + 1 : endOfDigits(text, at);
  if (at !== NOWHERE && text.charCodeAt(at) === POINT) at = endOfDigits(text, at + 1);
  if (at === NOWHERE || !/[eE]/.test(text.charAt(at))) return at;
  return endOfDigits(text, /[+-]/.test(text.charAt(at + 1)) ? at + 2 : at + 1);
}

function endOfDigits(text: string, start: number): number {
  let at = start;
  while (isDigit(text.charCodeAt(at))) at++;
  return at === start ? NOWHERE : at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
