/** A place in a text: from `start` up to, but not including, `end`. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds one kind of thing in a text that was folded (`folding.ts`). It takes time linear in the
 * text, whatever that is: it is somebody else's.
 *
 * @param member The name of the member that the text is the value of, where it is one's.
 */
export type Finder = (text: string, member?: string) => Iterable<Place>;

/** All matches of a global pattern that matches no empty text; without the copy that `matchAll` makes. */
export function matchesOf(text: string, pattern: RegExp): readonly RegExpExecArray[] {
  pattern.lastIndex = 0;
  const first = pattern.exec(text);
  if (!first) return NONE;
  const matches = [first];
  for (let next = pattern.exec(text); next; next = pattern.exec(text)) matches.push(next);
  return matches;
}

const NONE: readonly RegExpExecArray[] = [];
