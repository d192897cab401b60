import type { EntryInput } from './document-schema.ts';
import type { Counter, GuardCondition, LimitRule, Rule } from './policy.ts';
import {
  type Complain,
  type FindCounter,
  parseArgumentPath,
  readCondition,
} from './read-guards.ts';
import type { Condition, LimitInput, RuleInput, WindowInput } from './rule-schema.ts';
import {
  createCalendarWindow,
  createSlidingWindow,
  NAMED_WINDOWS,
  readDuration,
  type Window,
} from './windows.ts';

/** The position of rules, and the counters available to them. */
interface RuleContext {
  /** The JSON pointer of the entry. */
  readonly pointer: string;
  /** Prefix of the entry's counters. */
  readonly scopeName: string;
  readonly counterOf: FindCounter;
  readonly complain: Complain;
}

type Common = Pick<Rule, 'pointer' | 'name' | 'message'>;

/** All rules of an entry, in order of evaluation. */
export function readRules(entry: EntryInput, context: RuleContext): Rule[] {
  const { pointer, counterOf } = context;
  const listed = (
    key: 'require' | 'deny_if',
    make: (common: Common, guard: GuardCondition) => Rule,
  ): Rule[] =>
    (entry[key] ?? []).map((condition: Condition, index) => {
      const guard = readCondition(condition, counterOf, (path, message) =>
        context.complain([key, index, ...path], message),
      );
      const common = {
        pointer: `${pointer}/${key}/${index}`,
        name: undefined,
        message: getDenyMessage(condition),
      };
      return make(common, guard);
    });
  return [
    ...(entry.rules ?? []).flatMap((rule, index) => readRule(rule, index, context)),
    ...listed('deny_if', (common, when) => ({ ...common, kind: 'deny', when })),
    ...listed('require', (common, holds) => ({ ...common, kind: 'require', holds })),
    ...(entry.limits ?? []).map((limit, index) => readLimit(limit, index, context)),
  ];
}

function readRule(rule: RuleInput, index: number, context: RuleContext): Rule[] {
  const common: Common = {
    pointer: `${context.pointer}/rules/${index}`,
    name: rule.name,
    message: getDenyMessage(rule),
  };
  if (rule.action === 'deny') return [{ ...common, kind: 'deny', when: undefined }];
  const complain: Complain = (path, message) =>
    context.complain(['rules', index, ...path], message);
  const guard = readGuard(rule, context, complain);
  if (rule.action === 'require_approval') {
    return [
      {
        ...common,
        kind: 'approval',
        when: guard,
        timeout: rule.approval_timeout ? readDuration(rule.approval_timeout) : undefined,
        per: rule.approval ?? 'session',
      },
    ];
  }
  const { validate } = rule;
  const checks: Rule[] = [];
  if (guard) checks.push({ ...common, kind: 'require', holds: guard });
  if (validate === 'schema' || (typeof validate === 'object' && validate.schema)) {
    checks.push({ ...common, kind: 'schema', extent: 'schema' });
  } else if (typeof validate === 'object' && validate.required_args) {
    checks.push({ ...common, kind: 'schema', extent: 'required' });
  }
  return [...checks, ...readLimits(rule, common, index, context)];
}

/**
 * Reads the conditions of a rule. A comparison of the rule's own counter with a maximum is a limit,
 * not a condition. It is evaluated with the amount that the call adds.
 */
function readGuard(
  rule: RuleInput,
  { counterOf, scopeName }: RuleContext,
  complain: Complain,
): GuardCondition | undefined {
  const guards = (rule.conditions ?? []).flatMap((condition, index) => {
    if (isOwnLimit(condition, rule, scopeName)) return [];
    const complainHere: Complain = (path, message) =>
      complain(['conditions', index, ...path], message);
    return [readCondition(condition, counterOf, complainHere)];
  });
  if (rule.any_of) {
    const any = rule.any_of.map((condition, index) =>
      readCondition(condition, counterOf, (path, message) =>
        complain(['any_of', index, ...path], message),
      ),
    );
    guards.push({ any });
  }
  return guards.length > 1 ? { all: guards } : guards[0];
}

function isOwnLimit(condition: Condition, rule: RuleInput, scopeName: string): boolean {
  const { op, path } = condition;
  if (!rule.state || (op !== 'lt' && op !== 'lte')) return false;
  return path === `state.${scopeName}.${rule.state.counter}`;
}

function readLimits(
  rule: RuleInput,
  common: Common,
  index: number,
  context: RuleContext,
): LimitRule[] {
  const { rate_limit: rate, state, spend, scope = 'session' } = rule;
  const { scopeName } = context;
  const counter = (name: string, window: Window): Counter => ({
    key: `${scopeName}.${name}`,
    window,
    scope,
  });
  const limits: LimitRule[] = [];
  const plain = { ...common, kind: 'limit', increment: 1, isExclusive: false } as const;
  if (rate !== undefined) {
    const { most, window } = readRate(rate);
    const name = `_rate_${typeof rate === 'string' ? '' : `${index}_`}${window.words}`;
    limits.push({ ...plain, counter: counter(name, window), most });
  }
  if (state) {
    const own = (rule.conditions ?? []).filter((one) => isOwnLimit(one, rule, scopeName));
    const { increment, increment_from: from } = state;
    const counted = counter(state.counter, readWindow(state.window));
    const adding = {
      ...plain,
      counter: counted,
      increment: from ? parseArgumentPath(from) : (increment ?? 1),
    };
    if (own.length === 0) limits.push({ ...adding, most: undefined });
    // If one counter has several maximums, the lowest applies.
    const lowest = own.toSorted(
      (a, b) => Number(a.value) - Number(b.value) || (a.op === 'lt' ? -1 : 1),
    )[0];
    if (lowest)
      limits.push({ ...adding, most: Number(lowest.value), isExclusive: lowest.op === 'lt' });
  }
  if (spend) {
    const increment = parseArgumentPath(spend.from ?? 'args.amount');
    if (spend.per_call !== undefined) {
      const each = { ...createCalendarWindow('day'), milliseconds: 0, words: 'call' };
      limits.push({
        ...plain,
        increment,
        counter: counter('_spend_call', each),
        most: spend.per_call,
      });
    }
    if (spend.daily !== undefined) {
      const daily = counter('_spend_day', createCalendarWindow('day'));
      limits.push({ ...plain, increment, counter: daily, most: spend.daily });
    }
  }
  return limits;
}

function readLimit(limit: LimitInput, index: number, context: RuleContext): LimitRule {
  const { counter, window, scope = 'session', max, increment = 1, increment_from: from } = limit;
  return {
    kind: 'limit',
    pointer: `${context.pointer}/limits/${index}`,
    name: undefined,
    message: getDenyMessage(limit),
    counter: { key: `${context.scopeName}.${counter}`, window: readWindow(window), scope },
    increment: from ? parseArgumentPath(from) : increment,
    most: max,
    isExclusive: false,
  };
}

function readRate(rate: NonNullable<RuleInput['rate_limit']>): { most: number; window: Window } {
  if (typeof rate === 'object') return { most: rate.max, window: readWindow(rate.window) };
  const [count = '', window = ''] = rate.split('/');
  return { most: Number(count), window: readWindow(window) };
}

function getDenyMessage({ on_deny: said, reason }: Pick<Condition, 'on_deny' | 'reason'>) {
  return said || reason || undefined;
}

/** A name is a calendar window; a duration is a sliding window. */
export function readWindow(input: WindowInput): Window {
  if (typeof input === 'number') return createSlidingWindow(input * 1000, `${input} s`);
  const named = NAMED_WINDOWS.find((name) => name === input);
  return named ? createCalendarWindow(named) : createSlidingWindow(readDuration(input) ?? 0, input);
}
