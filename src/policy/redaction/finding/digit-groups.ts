import { findMatches, type Place } from './finder.ts';

/** Digits in a row, with optional separators between groups. */
const RUN = /\d(?:[ \t.\-_/]{0,2}\d){12,}/g;

const GROUP = /\d+/g;

const SPACED_DIGITS = /^\d(?:[ \t.\-_/]{1,2}\d)+$/;

/**
 * Finds numbers within a range of lengths as people write them: in one group, or in groups of three
 * or more digits with separators. Single separated digits count only if there are no others next to
 * them. Otherwise any list of numbers would match.
 *
 * @param least Thirteen or more.
 */
export function* findGroupedDigits(
  text: string,
  least: number,
  most: number,
  isOne: (digits: string) => boolean,
): Iterable<Place> {
  for (const { 0: run, index } of findMatches(text, RUN)) {
    if (isInLongWord(text, index, index + run.length)) continue;
    if (SPACED_DIGITS.test(run)) {
      const digits = run.replace(/\D/g, '');
      if (digits.length >= least && digits.length <= most && isOne(digits)) {
        yield { start: index, end: index + run.length };
      }
      continue;
    }
    yield* findGroupsInRun(run, index, least, most, isOne);
  }
}

function* findGroupsInRun(
  run: string,
  offset: number,
  least: number,
  most: number,
  isOne: (digits: string) => boolean,
): Iterable<Place> {
  const groups = findMatches(run, GROUP).map(({ 0: digits, index }) => ({ digits, index }));
  let from = 0;
  while (from < groups.length) {
    let digits = '';
    let best: number | undefined;
    for (let to = from; to < groups.length; to++) {
      const group = groups[to] as { digits: string };
      digits += group.digits;
      if (digits.length > most) break;
      if (digits.length >= least && !isFraction(run, groups, from, to) && isOne(digits)) best = to;
      if (group.digits.length < 3) break;
    }
    if (best === undefined) {
      from += 1;
      continue;
    }
    const first = groups[from] as { index: number };
    const last = groups[best] as { index: number; digits: string };
    yield { start: offset + first.index, end: offset + last.index + last.digits.length };
    from = best + 1;
  }
}

/** True for one group after a decimal point, such as the digits of `0.4111111111111111`. */
function isFraction(
  run: string,
  groups: readonly { readonly index: number; readonly digits: string }[],
  from: number,
  to: number,
): boolean {
  if (from !== to || from === 0) return false;
  const { index } = groups[from] as { index: number };
  return run[index - 1] === '.' && /\d/.test(run[index - 2] ?? '');
}

/**
 * Minimum length of a word that is treated as a hash, a key or encoded data, which can contain any
 * digits.
 */
const LONG_WORD = 32;

/**
 * Whether the digits have letters right next to them, in a word that is too long for normal text.
 */
function isInLongWord(text: string, start: number, end: number): boolean {
  if (!/[A-Za-z]/.test(`${text[start - 1] ?? ''}${text[end] ?? ''}`)) return false;
  let from = start;
  while (end - from < LONG_WORD && /[A-Za-z\d]/.test(text[from - 1] ?? '')) from--;
  let to = end;
  while (to - from < LONG_WORD && /[A-Za-z\d]/.test(text[to] ?? '')) to++;
  return to - from >= LONG_WORD;
}
