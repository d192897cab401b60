import { isObject } from '../../mcp/message.ts';
import { NOTHING, type Tally, withAmount } from './tally.ts';

/** Counters by key. */
export type Tallies = Map<string, Tally>;

/**
 * An amount to add to a slice of a counter. A negative amount takes it back. 0 only records the
 * current time.
 */
export interface Addition {
  readonly key: string;
  readonly slice: number;
  readonly amount: number;
  readonly until: number;
}

/**
 * A line of a counter file. `head` is the first line, with all earlier counts. `add` applies
 * completely or not at all. After `seal`, the file ends and the next file continues.
 */
type CounterLine =
  | { readonly head: Tallies }
  | { readonly id: string; readonly add: readonly Addition[] }
  | { readonly seal: number };

export function serializeHead(tallies: Tallies): string {
  return `${JSON.stringify({ format: 1, head: Object.fromEntries(tallies) })}\n`;
}

export function addLine(id: string, additions: readonly Addition[]): string {
  const add = additions.map(({ key, slice, amount, until }) => [key, slice, amount, until]);
  return `${JSON.stringify({ id, add })}\n`;
}

/** @param now Counters expired before this time are not carried over. */
export function serializeSeal(now: number): string {
  return `${JSON.stringify({ seal: now })}\n`;
}

/** `undefined` if the line is invalid. */
export function parseLine(text: string): CounterLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  if (isCount(value.seal)) return { seal: Number(value.seal) };
  if (value.format === 1 && isObject(value.head)) {
    const entries = Object.entries(value.head);
    return entries.every((entry): entry is [string, Tally] => isTally(entry[1]))
      ? { head: new Map(entries) }
      : undefined;
  }
  if (typeof value.id !== 'string' || !Array.isArray(value.add)) return undefined;
  const add = (value.add as unknown[]).map(readAddition);
  return add.every((one) => one !== undefined) ? { id: value.id, add } : undefined;
}

/** Adds the amounts of a line. */
export function applyAdditions(tallies: Tallies, additions: readonly Addition[]): void {
  for (const { key, slice, amount, until } of additions) {
    tallies.set(key, withAmount(tallies.get(key) ?? NOTHING, slice, amount, until));
  }
}

function readAddition(value: unknown): Addition | undefined {
  if (!Array.isArray(value)) return undefined;
  const [key, slice, amount, until] = value as unknown[];
  if (typeof key !== 'string' || typeof amount !== 'number' || !Number.isFinite(amount)) return;
  if (!isCount(slice) || !isCount(until)) return undefined;
  return { key, slice: Number(slice), amount, until: Number(until) };
}

function isTally(value: unknown): value is Tally {
  if (!isObject(value) || !isCount(value.until) || !Array.isArray(value.slices)) return false;
  return (value.slices as unknown[]).every(
    (slice) =>
      Array.isArray(slice) && (slice.length === 2 || slice.length === 3) && slice.every(isCount),
  );
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
