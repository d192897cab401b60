import { isDeepStrictEqual } from 'node:util';
import type { RE2JS } from 're2js';
import { isObject } from '../../mcp/message.ts';
import type { Comparison, Counter, GuardCondition } from '../documents/model.ts';
import { toSkeleton } from '../documents/name-pattern.ts';
import type { Operator } from '../documents/schema.ts';

/**
 * Treatment of ambiguous values. `requires`: the condition lets a call pass, so it must hold for
 * every interpretation of the message. `triggers`: the condition stops a call, so it holds if any
 * server may interpret the message in this way.
 */
type Polarity = 'requires' | 'triggers';

/** The values to which conditions refer. */
export interface GuardContext {
  readonly arguments: unknown;
  readonly params: unknown;
  readonly count: (counter: Counter) => number;
}

/** True if a condition holds for a message, by the polarity of its rule. */
export function evaluateCondition(
  guard: GuardCondition,
  context: GuardContext,
  polarity: Polarity,
): boolean {
  if ('all' in guard) return guard.all.every((one) => evaluateCondition(one, context, polarity));
  if ('any' in guard) return guard.any.some((one) => evaluateCondition(one, context, polarity));
  return evaluateComparison(guard, context, polarity);
}

function evaluateComparison(
  { path, op, value }: Comparison,
  context: GuardContext,
  polarity: Polarity,
) {
  if ('counter' in path) return evaluateOperator(op, context.count(path.counter), value, polarity);
  const root = path.text.startsWith('args.') ? context.arguments : context.params;
  const { exact, alike } = findValuesAt(root, path.keys);
  const all = [...exact, ...alike];
  if (op === 'exists') return evaluateExists(value === true, exact, all, polarity);
  // A missing field fails every operator except `exists`.
  if (polarity === 'triggers')
    return all.some((actual) => evaluateOperator(op, actual, value, polarity));
  return exact.length > 0 && all.every((actual) => evaluateOperator(op, actual, value, polarity));
}

/**
 * Evaluates `exists`. `null` counts as absent, as in Intercept. With `triggers`, it counts as
 * present or absent, so that the condition holds.
 */
function evaluateExists(
  isWanted: boolean,
  exact: readonly unknown[],
  all: readonly unknown[],
  polarity: Polarity,
): boolean {
  const isThere = (value: unknown) => value !== null;
  if (polarity === 'triggers') return isWanted ? all.length > 0 : !exact.some(isThere);
  return isWanted ? exact.some(isThere) : !all.some(isThere);
}

/** The values at a path. */
interface Found {
  /** Values under exactly these keys. */
  readonly exact: unknown[];
  /** Values under similar keys. A lenient server may treat them as these keys. */
  readonly alike: unknown[];
}

/** Finds the values at a path. `*` stands for each element of an array or object. */
function findValuesAt(root: unknown, keys: readonly string[]): Found {
  let found: Found = { exact: [root], alike: [] };
  for (const key of keys) {
    const next: Found = { exact: [], alike: [] };
    for (const value of found.exact) collectValues(value, key, next);
    for (const value of found.alike) {
      const below: Found = { exact: [], alike: [] };
      collectValues(value, key, below);
      next.alike.push(...below.exact, ...below.alike);
    }
    found = next;
  }
  return found;
}

function collectValues(value: unknown, key: string, found: Found): void {
  if (Array.isArray(value)) {
    if (key === '*') for (const element of value) found.exact.push(element);
    else if (/^\d{1,9}$/.test(key) && Number(key) < value.length)
      found.exact.push(value[Number(key)]);
    else for (const element of value) collectSimilarValues(element, key, found);
    return;
  }
  if (typeof value === 'string') {
    collectSimilarValues(parseContainer(value), key, found);
    return;
  }
  if (!isObject(value)) return;
  if (key === '*') {
    found.exact.push(...Object.values(value));
    return;
  }
  const skeleton = toSkeleton(key);
  for (const own of Object.keys(value)) {
    if (own === key) found.exact.push(value[own]);
    else if (toSkeleton(own) === skeleton) found.alike.push(value[own]);
  }
}

/**
 * Collects from a list or a JSON string in the position of an object, as a lenient server would.
 */
function collectSimilarValues(value: unknown, key: string, { alike }: Found): void {
  const below: Found = { exact: [], alike: [] };
  collectValues(value, key, below);
  for (const one of [...below.exact, ...below.alike]) alike.push(one);
}

function evaluateOperator(
  op: Operator,
  actual: unknown,
  value: unknown,
  polarity: Polarity,
): boolean {
  switch (op) {
    case 'eq':
      return isAny(actual, [value], polarity);
    case 'neq':
      return matchesNone(actual, [value], polarity);
    case 'in':
      return isAny(actual, value as unknown[], polarity);
    case 'not_in':
      return matchesNone(actual, value as unknown[], polarity);
    case 'regex':
      return evaluateRegex(actual, value as RE2JS, polarity);
    case 'contains':
      return evaluateContains(actual, value, polarity);
    case 'exists':
      return true;
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return evaluateOrder(op, actual, value as number, polarity);
  }
}

function isAny(actual: unknown, values: readonly unknown[], polarity: Polarity): boolean {
  if (polarity === 'requires') return values.some((value) => certainlyEquals(actual, value));
  return hasMatchingInterpretation(actual, (one) =>
    values.some((value) => possiblyEquals(one, value)),
  );
}

/** Evaluates `neq` and `not_in`. With `requires`, no interpretation may equal an excluded value. */
function matchesNone(actual: unknown, values: readonly unknown[], polarity: Polarity): boolean {
  if (polarity === 'triggers') return !values.some((value) => certainlyEquals(actual, value));
  return !hasMatchingInterpretation(actual, (one) =>
    values.some((value) => possiblyEquals(one, value)),
  );
}

/** True if an interpretation passes the test, or if there are too many to check. */
function hasMatchingInterpretation(actual: unknown, test: (one: unknown) => boolean): boolean {
  return getInterpretations(actual)?.some(test) ?? true;
}

function evaluateRegex(actual: unknown, pattern: RE2JS, polarity: Polarity): boolean {
  const find = (text: string) => pattern.test(text);
  if (polarity === 'requires') return typeof actual === 'string' && find(actual);
  return hasMatchingText(actual, find);
}

function evaluateContains(actual: unknown, value: unknown, polarity: Polarity): boolean {
  if (polarity === 'triggers') {
    const wanted = String(value).toLowerCase();
    const isIn = (text: string) => text.toLowerCase().includes(wanted);
    return (
      hasMatchingText(actual, isIn) ||
      hasMatchingInterpretation(actual, (one) => possiblyEquals(one, value))
    );
  }
  if (Array.isArray(actual)) return actual.some((one) => certainlyEquals(one, value));
  return typeof actual === 'string' && actual.includes(String(value));
}

/**
 * Tests all texts of a value. The JSON of the outermost container includes nested containers, so it
 * is tested once.
 */
function hasMatchingText(actual: unknown, test: (text: string) => boolean): boolean {
  if (isContainer(actual) && test(JSON.stringify(actual))) return true;
  return hasMatchingInterpretation(actual, (one) => !isContainer(one) && test(String(one)));
}

/**
 * Evaluates an order. If the value is not a number, the result is false for `requires` and true for
 * `triggers`.
 */
function evaluateOrder(
  op: 'lt' | 'lte' | 'gt' | 'gte',
  actual: unknown,
  value: number,
  polarity: Polarity,
): boolean {
  const number = toNumber(actual, polarity);
  if (number === undefined) return polarity === 'triggers';
  switch (op) {
    case 'lt':
      return number < value;
    case 'lte':
      return number <= value;
    case 'gt':
      return number > value;
    case 'gte':
      return number >= value;
  }
}

function toNumber(actual: unknown, polarity: Polarity): number | undefined {
  if (typeof actual === 'number') return actual;
  if (polarity === 'requires' || typeof actual !== 'string' || actual.trim() === '')
    return undefined;
  const number = Number(actual);
  return Number.isNaN(number) ? undefined : number;
}

/** Maximum interpretations of one value. */
const MAX_INTERPRETATIONS = 100_000;

/** Invisible characters and unpaired surrogates. */
const UNSEEN = /[\p{Cf}\p{Cc}\p{Cs}\p{Variation_Selector}\u115f\u1160\u2800\u3164\uffa0]/gu;

/** Lower-case values that lenient servers accept as booleans. */
const TRUTHS: Readonly<Record<string, readonly string[]>> = {
  true: ['true', '1', 'yes', 'on', 'y', 't'],
  false: ['false', '0', 'no', 'off', 'n', 'f'],
};

/**
 * Returns all interpretations of a value by servers with lenient types. These are the normalized
 * text, the value of JSON text, and the members of lists and objects.
 *
 * @returns `undefined` if there are too many to examine.
 */
function getInterpretations(actual: unknown): readonly unknown[] | undefined {
  const all: unknown[] = [actual];
  for (let at = 0; at < all.length; at++) {
    const one = all[at];
    const more = typeof one === 'string' ? getTextInterpretations(one) : getMembers(one);
    if (all.length + more.length > MAX_INTERPRETATIONS) return undefined;
    for (const interpretation of more) all.push(interpretation);
  }
  return all;
}

/** Parses the list or object in a JSON text. Some servers accept the text as the value. */
function parseContainer(text: string): unknown {
  return /^\s*[[{]/.test(text) ? tryParse(text) : undefined;
}

/**
 * True if two values are equal for every server. A number equals its digits, but texts that differ
 * in case are not equal.
 */
function certainlyEquals(actual: unknown, value: unknown): boolean {
  // Beyond the safe integers, different numbers compare as equal here but may differ at the server.
  if (Number.isInteger(actual) && !Number.isSafeInteger(actual)) return false;
  if (actual === value) return true;
  if (isContainer(actual) || isContainer(value)) return isDeepStrictEqual(actual, value);
  return String(actual) === String(value);
}

/** True if a lenient server may treat the values as equal. Many servers ignore case. */
function possiblyEquals(actual: unknown, value: unknown): boolean {
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
  const parsed = /^[[{"]/.test(plain) ? tryParse(plain) : undefined;
  return [...(plain === text ? [] : [plain]), ...(parsed === undefined ? [] : [parsed])];
}

function toPlainText(text: string): string {
  const plain = /^[\x20-\x7e]*$/.test(text) ? text : text.normalize('NFKC').replace(UNSEEN, '');
  return plain.trim();
}

function getMembers(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

/** True for lists, objects and `null`. They are compared as a whole. */
function isContainer(value: unknown): boolean {
  return typeof value === 'object';
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
