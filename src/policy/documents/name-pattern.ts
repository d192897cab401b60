import { baseOf } from './confusables.ts';

/** A name, or a glob in which `*` stands for any characters and `?` for one. */
export interface NamePattern {
  readonly text: string;
  /** Byte for byte: what a permission needs. */
  matches(name: string): boolean;
  /**
   * The same for names that look alike or that a lenient server may take for this one: what a
   * restriction applies to. True wherever `matches` is.
   */
  resembles(name: string): boolean;
}

/** Longer names than any server has; a glob's work stays small. */
const LONGEST_NAME = 2048;

/** Characters that nobody sees, and white space, in NFKC. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Z}\p{M}\u115f\u1160\u3164\uffa0\u2800]/gu;

/**
 * What a name comes down to for somebody who does not look closely: without case, width, accents,
 * characters that are not seen, and letters of other scripts that look the same.
 */
export function skeletonOf(name: string): string {
  if (/^[a-z0-9_./:-]*$/.test(name)) return name;
  const seen = name.normalize('NFKD').replace(INVISIBLE, '');
  return seen
    .replace(/[^\0-\x7f]/gu, baseOf)
    .toLowerCase()
    .normalize('NFKC');
}

/** The same without anything but letters and digits, for keys and methods. */
export function squashed(name: string): string {
  return skeletonOf(name).replace(/[^\p{L}\p{N}]/gu, '');
}

export function namePattern(text: string): NamePattern {
  const skeleton = skeletonOf(text);
  const isGlob = /[*?]/.test(text);
  const matches = isGlob ? globMatcher(text) : (name: string) => name === text;
  const resembles = isGlob ? globMatcher(skeleton) : (name: string) => name === skeleton;
  return {
    text,
    matches,
    resembles: (name) => matches(name) || resembles(skeletonOf(name)),
  };
}

/** Without a regular expression, so that no glob can be made to take long. */
function globMatcher(glob: string): (name: string) => boolean {
  if (glob === '*') return () => true;
  const pattern = [...glob];
  return (name) => {
    if (name.length > LONGEST_NAME) return false;
    return globMatches(pattern, [...name]);
  };
}

/** Goes back to the latest `*` alone, which is enough: at most pattern × name steps. */
function globMatches(pattern: readonly string[], name: readonly string[]): boolean {
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
