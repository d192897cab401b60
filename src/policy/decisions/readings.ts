import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../../mcp/message.ts';

/** Maximum values to examine within a value. */
const MAX_READINGS = 100_000;

/** Invisible characters and unpaired surrogates. */
const UNSEEN = /[\p{Cf}\p{Cc}\p{Cs}\p{Variation_Selector}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** Lower-case values that lenient servers accept as booleans. */
const TRUTHS: Readonly<Record<string, readonly string[]>> = {
  true: ['true', '1', 'yes', 'on', 'y', 't'],
  false: ['false', '0', 'no', 'off', 'n', 'f'],
};

/**
 * All interpretations of a value by a server with lenient types: the trimmed and normalized text,
 * the value of JSON text, and the members of lists and objects.
 *
 * @returns `undefined` if there are too many to examine.
 */
export function getInterpretations(actual: unknown): readonly unknown[] | undefined {
  const all: unknown[] = [actual];
  for (let at = 0; at < all.length; at++) {
    const one = all[at];
    const more = typeof one === 'string' ? getTextInterpretations(one) : getMembers(one);
    if (all.length + more.length > MAX_READINGS) return undefined;
    for (const reading of more) all.push(reading);
  }
  return all;
}

/** The list or object in a JSON text. Some servers accept the text form. */
export function parseContainer(text: string): unknown {
  return /^\s*[[{]/.test(text) ? tryParse(text) : undefined;
}

/**
 * True if two values are certainly equal: a number and its digits are, two spellings of `main` are
 * not.
 */
export function certainlyEquals(actual: unknown, value: unknown): boolean {
  // Beyond the safe integers, different numbers compare as equal here but may differ at the server.
  if (Number.isInteger(actual) && !Number.isSafeInteger(actual)) return false;
  if (actual === value) return true;
  if (isContainer(actual) || isContainer(value)) return isDeepStrictEqual(actual, value);
  return String(actual) === String(value);
}

/** True if a server might treat the values as equal. Many servers ignore case. */
export function possiblyEquals(actual: unknown, value: unknown): boolean {
  if (actual === value) return true;
  if (isContainer(actual) || isContainer(value)) return isDeepStrictEqual(actual, value);
  const text = String(actual).trim().toLowerCase();
  if (typeof value === 'boolean') return TRUTHS[String(value)]?.includes(text) === true;
  if (typeof value === 'number') return text !== '' && Number(actual) === value;
  const wanted = String(value).trim().toLowerCase();
  return text === wanted || (typeof actual === 'number' && actual === Number(value));
}

function getTextInterpretations(text: string): readonly unknown[] {
  const plain = toPlainText(text);
  const held = /^[[{"]/.test(plain) ? tryParse(plain) : undefined;
  return [...(plain === text ? [] : [plain]), ...(held === undefined ? [] : [held])];
}

function toPlainText(text: string): string {
  const plain = /^[\x20-\x7e]*$/.test(text) ? text : text.normalize('NFKC').replace(UNSEEN, '');
  return plain.trim();
}

function getMembers(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

/** Lists, objects and `null`, compared as a whole. */
export function isContainer(value: unknown): boolean {
  return typeof value === 'object';
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
