import { getBaseCharacter } from './confusables.ts';

/** A name, or a glob: `*` matches any characters and `?` matches one. */
export interface NamePattern {
  readonly text: string;
  /** Exact comparison, for permissions. */
  matches(name: string): boolean;
  /**
   * Tolerant comparison, for restrictions: also true for similar names, or names that a lenient
   * server may treat as this one. True whenever `matches` is.
   */
  resembles(name: string): boolean;
}

/** In characters. Longer than the names of any server, and bounds the work of a glob. */
const MAX_NAME_LENGTH = 2048;

/** Invisible characters and white space, in NFKC. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Z}\p{M}\u115f\u1160\u3164\uffa0\u2800]/gu;

/**
 * Normalizes a name for tolerant comparison. Removes case, width, accents and invisible characters,
 * and replaces similar letters of other scripts.
 */
export function toSkeleton(name: string): string {
  if (/^[a-z0-9_./:-]*$/.test(name)) return name;
  const seen = name.normalize('NFKD').replace(INVISIBLE, '');
  return seen
    .replace(/[^\0-\x7f]/gu, getBaseCharacter)
    .toLowerCase()
    .normalize('NFKC');
}

/** Like {@link toSkeleton}, but keeps only letters and digits. For keys and methods. */
export function squashName(name: string): string {
  return toSkeleton(name).replace(/[^\p{L}\p{N}]/gu, '');
}

export function createNamePattern(text: string): NamePattern {
  const skeleton = toSkeleton(text);
  const isGlob = /[*?]/.test(text);
  const matches = isGlob ? globMatcher(text) : (name: string) => name === text;
  const resembles = isGlob ? globMatcher(skeleton) : (name: string) => name === skeleton;
  return {
    text,
    matches,
    resembles: (name) => matches(name) || resembles(toSkeleton(name)),
  };
}

/** Uses no regular expression, so that no glob can take long. */
function globMatcher(glob: string): (name: string) => boolean {
  if (glob === '*') return () => true;
  const pattern = [...glob];
  return (name) => {
    if (name.length > MAX_NAME_LENGTH) return false;
    return matchesGlob(pattern, [...name]);
  };
}

/** Backtracks only to the latest `*`, which is sufficient: at most pattern × name steps. */
function matchesGlob(pattern: readonly string[], name: readonly string[]): boolean {
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < name.length; ) {
    if (pattern[at] === '*') {
      star = at++;
      resume = index;
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === name[index])) {
      at++;
      index++;
    } else if (star >= 0) {
      at = star + 1;
      index = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
