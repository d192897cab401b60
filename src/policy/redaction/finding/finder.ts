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

/** All matches of a global pattern. Most texts have none, and to see that takes no copy of it. */
export function matchesOf(text: string, pattern: RegExp): Iterable<RegExpExecArray> {
  return text.search(pattern) === -1 ? NONE : text.matchAll(pattern);
}

const NONE: readonly RegExpExecArray[] = [];
