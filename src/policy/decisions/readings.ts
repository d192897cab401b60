import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../../mcp/message.ts';

/** Values within a value that are looked at. */
const MOST_READINGS = 100_000;

/** Characters that nobody sees, and halves of such that there are none of. */
const UNSEEN = /[\p{Cf}\p{Cc}\p{Cs}\p{Variation_Selector}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** What servers take for a boolean that do not insist on one, in small letters. */
const TRUTHS: Readonly<Record<string, readonly string[]>> = {
  true: ['true', '1', 'yes', 'on', 'y', 't'],
  false: ['false', '0', 'no', 'off', 'n', 'f'],
};

/**
 * All that a server which is not strict about types may take a value for: a text once it is made
 * plain, what it holds where it is JSON, and the members of lists and objects.
 *
 * @returns `undefined` where there is more than can be looked at.
 */
export function readingsOf(actual: unknown): readonly unknown[] | undefined {
  const all: unknown[] = [actual];
  for (let at = 0; at < all.length; at++) {
    const one = all[at];
    const more = typeof one === 'string' ? readingsOfText(one) : membersOf(one);
    if (all.length + more.length > MOST_READINGS) return undefined;
    for (const reading of more) all.push(reading);
  }
  return all;
}

/** What a text holds that is a list or an object in JSON; some servers take one for the other. */
export function containerIn(text: string): unknown {
  return /^\s*[[{]/.test(text) ? parsed(text) : undefined;
}

/** Whether the two are the same, surely: a number and its digits are, two ways to write `main` are not. */
export function isSurely(actual: unknown, value: unknown): boolean {
  // Beyond these, several numbers are the same one here, and maybe not where they are sent.
  if (Number.isInteger(actual) && !Number.isSafeInteger(actual)) return false;
  if (actual === value) return true;
  if (isContainer(actual) || isContainer(value)) return isDeepStrictEqual(actual, value);
  return String(actual) === String(value);
}

/** Whether a server might take the one for the other, of which many do not look at capitals. */
export function mayBe(actual: unknown, value: unknown): boolean {
  if (actual === value) return true;
  if (isContainer(actual) || isContainer(value)) return isDeepStrictEqual(actual, value);
  const text = String(actual).trim().toLowerCase();
  if (typeof value === 'boolean') return TRUTHS[String(value)]?.includes(text) === true;
  if (typeof value === 'number') return text !== '' && Number(actual) === value;
  const wanted = String(value).trim().toLowerCase();
  return text === wanted || (typeof actual === 'number' && actual === Number(value));
}

function readingsOfText(text: string): readonly unknown[] {
  const plain = plainText(text);
  const held = /^[[{"]/.test(plain) ? parsed(plain) : undefined;
  return [...(plain === text ? [] : [plain]), ...(held === undefined ? [] : [held])];
}

function plainText(text: string): string {
  const plain = /^[\x20-\x7e]*$/.test(text) ? text : text.normalize('NFKC').replace(UNSEEN, '');
  return plain.trim();
}

function membersOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

/** Lists, objects and `null`, which are compared as a whole. */
export function isContainer(value: unknown): boolean {
  return typeof value === 'object';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
