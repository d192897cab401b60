/** A range of a text from `start` up to, but not including, `end`. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds one kind of data in a folded text (`folding.ts`). It must take linear time for every text,
 * because texts come from other parties.
 *
 * @param member The name of the member whose value is the text, if there is one.
 */
export type Detector = (text: string, member?: string) => Iterable<Place>;

/**
 * All matches of a global pattern that does not match the empty text. Avoids the copy that
 * `matchAll` makes.
 */
export function findMatches(text: string, pattern: RegExp): readonly RegExpExecArray[] {
  pattern.lastIndex = 0;
  const first = pattern.exec(text);
  if (!first) return NONE;
  const matches = [first];
  for (let next = pattern.exec(text); next; next = pattern.exec(text)) matches.push(next);
  return matches;
}

const NONE: readonly RegExpExecArray[] = [];
