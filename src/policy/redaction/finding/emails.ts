import type { Place } from './finder.ts';

/** RFC 5321, 4.5.3.1: the most characters before the @, and behind it. */
const LONGEST_LOCAL_PART = 64;
const LONGEST_DOMAIN = 255;

// Of RFC 5322's atext without what joins an address to other things in URLs and queries.
const LOCAL = /[\w.!$%*+~^'\-\u0080-\uffff]/;
/** In a script without spaces, words may stand right before and behind an address. */
const LATIN_LOCAL = /[\w.!$%*+~^'\-\u00c0-\u024f]/;
const LATIN = /[\w\u00c0-\u024f]/;
const DOMAIN = /[A-Za-z\d.\-\u0080-\uffff]/;
const TOP_LEVEL = /^(?:[A-Za-z]{2,63}|[\u0080-\uffff]{2,63}|xn--[A-Za-z\d-]{2,59})$/;
/** Signs that stand around an address rather than in it. */
const AROUND = new Set([...".'*~^!-\u2018\u2019\u201c\u201d\u00ab\u00bb\u2026\u3002\uff0c"]);

/** E-mail addresses with a domain of two labels or more. */
export function* findEmails(text: string): Iterable<Place> {
  let behind = 0;
  for (let at = text.indexOf('@'); at !== -1; at = text.indexOf('@', at + 1)) {
    const start = startOfLocalPart(text, at, behind);
    if (start === at) continue;
    const end = endOfDomain(text, at + 1);
    if (end === undefined) continue;
    yield { start, end };
    behind = end;
  }
}

function startOfLocalPart(text: string, at: number, least: number): number {
  if (text[at - 1] === '"') {
    const quote = text.lastIndexOf('"', at - 2);
    return quote >= Math.max(least, at - LONGEST_LOCAL_PART) ? quote : at;
  }
  const bound = Math.max(least, at - LONGEST_LOCAL_PART);
  const allowed = LATIN.test(text[at - 1] ?? '') ? LATIN_LOCAL : LOCAL;
  let start = at;
  while (start > bound && allowed.test(text[start - 1] as string)) start--;
  while (start < at && AROUND.has(text[start] as string)) start++;
  return start;
}

function endOfDomain(text: string, start: number): number | undefined {
  if (text[start] === '[') {
    const literal = /^\[(?:IPv6:)?[\d.:a-f]{2,45}\]/i.exec(text.slice(start, start + 60));
    return literal ? start + literal[0].length : undefined;
  }
  const bound = Math.min(text.length, start + LONGEST_DOMAIN);
  let end = start;
  while (end < bound && DOMAIN.test(text[end] as string)) end++;
  while (end > start && AROUND.has(text[end - 1] as string)) end--;
  const labels = text.slice(start, end).split('.');
  if (labels[0] === '') return undefined;
  // A sentence, a number or another script may go on behind the address without a space.
  for (let label = labels.pop(); label !== undefined && labels.length > 0; label = labels.pop()) {
    if (TOP_LEVEL.test(label)) return end;
    const behind = /^[a-z]{2,63}(?![a-z-])/i.exec(label);
    if (behind) return end - label.length + behind[0].length;
    end -= label.length + 1;
  }
  return undefined;
}
