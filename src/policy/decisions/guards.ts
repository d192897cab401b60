import { isDeepStrictEqual } from 'node:util';
import type { RE2JS } from 're2js';
import { isObject } from '../../mcp/message.ts';
import { skeletonOf } from '../documents/name-pattern.ts';
import type { Comparison, Counter, Guard, Operator } from '../documents/policy.ts';

/**
 * How to read a doubt. `requires`: the call goes on only where the guard surely holds. `triggers`:
 * the call is stopped, so the guard holds wherever a server might read the message so that it does.
 */
export type Polarity = 'requires' | 'triggers';

/** What guards look into. */
export interface GuardContext {
  readonly arguments: unknown;
  readonly params: unknown;
  readonly count: (counter: Counter) => number;
}

export function holds(guard: Guard, context: GuardContext, polarity: Polarity): boolean {
  if ('all' in guard) return guard.all.every((one) => holds(one, context, polarity));
  if ('any' in guard) return guard.any.some((one) => holds(one, context, polarity));
  return compares(guard, context, polarity);
}

function compares({ path, op, value }: Comparison, context: GuardContext, polarity: Polarity) {
  if ('counter' in path) return matches(op, context.count(path.counter), value, polarity);
  const root = path.text.startsWith('args.') ? context.arguments : context.params;
  const found = valuesAt(root, path.keys);
  if (op === 'exists') {
    if (value === false) {
      return found.exact.length === 0 && (polarity === 'triggers' || found.alike.length === 0);
    }
    return found.exact.length > 0 || (polarity === 'triggers' && found.alike.length > 0);
  }
  const all = [...found.exact, ...found.alike];
  // A missing field fails every operator but `exists`.
  if (polarity === 'triggers') return all.some((actual) => matches(op, actual, value, polarity));
  return found.exact.length > 0 && all.every((actual) => matches(op, actual, value, polarity));
}

interface Found {
  /** Under exactly these keys. */
  readonly exact: unknown[];
  /** Under keys that a server which is not strict may take for these. */
  readonly alike: unknown[];
}

/** The values that a path leads to; `*` in it is each element of an array or object. */
function valuesAt(root: unknown, keys: readonly string[]): Found {
  let found: Found = { exact: [root], alike: [] };
  for (const key of keys) {
    const next: Found = { exact: [], alike: [] };
    for (const value of found.exact) step(value, key, next);
    for (const value of found.alike) {
      const below: Found = { exact: [], alike: [] };
      step(value, key, below);
      next.alike.push(...below.exact, ...below.alike);
    }
    found = next;
  }
  return found;
}

function step(value: unknown, key: string, found: Found): void {
  if (Array.isArray(value)) {
    if (key === '*') for (const element of value) found.exact.push(element);
    else if (/^\d{1,9}$/.test(key) && Number(key) < value.length)
      found.exact.push(value[Number(key)]);
    return;
  }
  if (!isObject(value)) return;
  if (key === '*') {
    found.exact.push(...Object.values(value));
    return;
  }
  const skeleton = skeletonOf(key);
  for (const own of Object.keys(value)) {
    if (own === key) found.exact.push(value[own]);
    else if (skeletonOf(own) === skeleton) found.alike.push(value[own]);
  }
}

function matches(op: Operator, actual: unknown, value: unknown, polarity: Polarity): boolean {
  switch (op) {
    case 'eq':
      return readings(actual, polarity).some((one) => equal(one, value));
    case 'neq':
      return differs(actual, [value], polarity);
    case 'in':
      return readings(actual, polarity).some((one) => isIn(one, value));
    case 'not_in':
      return differs(actual, value as unknown[], polarity);
    case 'regex':
      return finds(actual, value as RE2JS, polarity);
    case 'contains':
      return contains(actual, value, polarity);
    case 'exists':
      return true;
    default:
      return ranks(op, actual, value as number, polarity);
  }
}

/** A restriction also hears what the text says once it is made plain. */
function readings(actual: unknown, polarity: Polarity): unknown[] {
  if (polarity === 'requires' || typeof actual !== 'string') return [actual];
  return [actual, ...plainer(actual)];
}

function plainer(text: string): string[] {
  if (/^[\x20-\x7e]*$/.test(text)) return [];
  return [text.normalize('NFKC').replace(/[\p{Cf}\p{Cc}]/gu, '')];
}

/** For a requirement, no reading of the text may be what it must not be. */
function differs(actual: unknown, values: readonly unknown[], polarity: Polarity): boolean {
  const all =
    polarity === 'requires' && typeof actual === 'string' ? [actual, ...plainer(actual)] : [actual];
  return all.every((one) => !isIn(one, values));
}

function isIn(actual: unknown, values: unknown): boolean {
  return (values as readonly unknown[]).some((value) => equal(actual, value));
}

function equal(actual: unknown, value: unknown): boolean {
  return actual === value || isDeepStrictEqual(actual, value);
}

function finds(actual: unknown, pattern: RE2JS, polarity: Polarity): boolean {
  if (typeof actual === 'string') {
    return readings(actual, polarity).some((text) => pattern.test(text as string));
  }
  return polarity === 'triggers' && pattern.test(textOf(actual));
}

function contains(actual: unknown, value: unknown, polarity: Polarity): boolean {
  if (Array.isArray(actual)) return isIn(value, actual);
  if (typeof actual === 'string') {
    return readings(actual, polarity).some((text) => (text as string).includes(String(value)));
  }
  return polarity === 'triggers' && textOf(actual).includes(String(value));
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** What is no number cannot be within a limit, and is beyond it as far as a restriction goes. */
function ranks(op: Operator, actual: unknown, value: number, polarity: Polarity): boolean {
  const number = numberOf(actual, polarity);
  if (number === undefined) return polarity === 'triggers';
  if (op === 'lt') return number < value;
  if (op === 'lte') return number <= value;
  return op === 'gt' ? number > value : number >= value;
}

function numberOf(actual: unknown, polarity: Polarity): number | undefined {
  if (typeof actual === 'number') return actual;
  if (polarity === 'requires' || typeof actual !== 'string' || actual.trim() === '')
    return undefined;
  const number = Number(actual);
  return Number.isNaN(number) ? undefined : number;
}
