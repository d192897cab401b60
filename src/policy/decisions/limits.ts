import { isObject } from '../../mcp/message.ts';
import { toSkeleton } from '../documents/name-pattern.ts';
import type { LimitRule } from '../documents/policy.ts';
import type { EvaluationInput, Reservation, RuleMatch } from './facts.ts';

/** A passed check without a counter. */
interface Nothing {
  readonly counter?: undefined;
}

/** The reservation that a limit needs for this call, or a ruling if the call cannot be counted. */
export function createReservation(
  rule: LimitRule,
  file: string,
  facts: EvaluationInput,
): Reservation | Nothing | { readonly refused: RuleMatch } {
  const { pointer, counter, most, isExclusive } = rule;
  const amount = typeof rule.increment === 'number' ? rule.increment : getAmount(rule, facts);
  if (amount === undefined) {
    const path = typeof rule.increment === 'object' ? rule.increment.text : '';
    const sentence = `The policy counts ${path}, which must be a number of 0 or more, once`;
    return { refused: { file, pointer, message: sentence } };
  }
  const reservation = {
    file,
    pointer,
    message: formatLimitMessage(rule),
    counter,
    amount,
    most,
    isExclusive,
  };
  if (counter.window.words !== 'call') return reservation;
  return most !== undefined && amount > most ? { refused: reservation } : {};
}

function formatLimitMessage({ message, counter, most, increment }: LimitRule): string {
  if (message) return message;
  const { window } = counter;
  const per = window.kind === 'fixed' ? window.words : `${window.words} (sliding)`;
  if (increment === 1) return `Rate limit of ${most} per ${per} reached. Try again later.`;
  return `The limit of ${most} per ${per} would be exceeded.`;
}

/**
 * The amount in the arguments. Rejects negative numbers, because they would refund earlier use.
 * Rejects ambiguous keys, because the server may read either of them.
 */
function getAmount({ increment }: LimitRule, facts: EvaluationInput): number | undefined {
  if (typeof increment === 'number') return increment;
  let value: unknown = increment.text.startsWith('args.') ? facts.arguments : facts.params;
  for (const key of increment.keys) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    const skeleton = toSkeleton(key);
    if (Object.keys(value).filter((own) => toSkeleton(own) === skeleton).length > 1)
      return undefined;
    value = value[key];
  }
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
