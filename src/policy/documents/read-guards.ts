import { RE2JS, RE2JSException } from 're2js';
import type { ArgumentPath, Comparison, Counter, GuardCondition } from './policy.ts';
import type { Condition } from './rule-schema.ts';

/** Reports a problem at a path relative to the value. */
export type Complain = (path: readonly PropertyKey[], message: string) => void;

/** Finds the counter of a reference such as `state.TOOL.COUNTER`. */
export type FindCounter = (reference: string) => Counter | undefined;

/** Reads a condition or a group of conditions. */
export function readCondition(
  condition: Condition,
  counterOf: FindCounter,
  complain: Complain,
): GuardCondition {
  for (const group of ['any_of', 'all_of'] as const) {
    const members = condition[group];
    if (!members) continue;
    const guards = members.map((member, index) =>
      readCondition(member, counterOf, (path, message) =>
        complain([group, index, ...path], message),
      ),
    );
    return group === 'any_of' ? { any: guards } : { all: guards };
  }
  return readComparison(condition, counterOf, complain);
}

function readComparison(
  { path = '', op = 'exists', value }: Condition,
  counterOf: FindCounter,
  complain: Complain,
): Comparison {
  if (path.startsWith('state.')) {
    const counter = counterOf(path);
    if (counter)
      return {
        path: { counter, text: path },
        op,
        value: prepareComparisonValue(op, value, complain),
      };
    complain(['path'], `no rule of this document counts "${path}"`);
  }
  return { path: parseArgumentPath(path), op, value: prepareComparisonValue(op, value, complain) };
}

/** `args.a.b`, or `params.a.b` for the params of a method. */
export function parseArgumentPath(text: string): ArgumentPath {
  return { text, keys: text.split('.').slice(1) };
}

function prepareComparisonValue(op: Comparison['op'], value: unknown, complain: Complain): unknown {
  if (op !== 'regex') return value;
  return compilePattern(String(value), (message) => complain(['value'], message));
}

/**
 * Compiles a pattern with RE2: linear in the length of the text, and compatible with Go's syntax.
 */
export function compilePattern(
  pattern: string,
  complain: (message: string) => void,
): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch (thrown) {
    const reason = thrown instanceof RE2JSException ? thrown.message : 'it cannot be read';
    complain(`is not a regular expression (RE2): ${reason}`);
    return undefined;
  }
}
