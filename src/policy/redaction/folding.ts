/**
 * What makes a text look other than it reads: signs without width or place of their own, the
 * letters, digits and signs of other scripts that stand for those of ASCII, and characters written
 * as escapes of URLs (of URLs in URLs, too), JSON, programs or HTML.
 */
const DISGUISE =
  /(?:\p{Cf}|\p{Cs}|\p{Variation_Selector}|(?![\t\n\r])\p{Cc}|\u034f|[\u115f\u1160\u2800\u3164\uffa0]|(?<=[!-~])\p{Mn})+|(?! )\p{Zs}|[\u2010-\u2015\u2043\u2212\u2024\u3002]|[\ufe50-\ufe6b\uff01-\uff61]|(?!\d)\p{Nd}|[\u00b2\u00b3\u00b9\u2070-\u208e\u2460-\u2468\u24ea]|[\u{1d400}-\u{1d7cb}\u24b6-\u24e9]|%(?:25){0,4}[2-7][\da-f]|\\u00[2-7][\da-f]|\\(?:x|u\{0{0,4})[2-7][\da-f]\}?|&#(?:0{0,5}\d{2,3}|x0{0,5}[2-7][\da-f]);|&(?:commat|period);/giu;
const MAY_BE_DISGUISED = /[^\t\n\r -~]|%[2-7][\dA-Fa-f]|\\[ux]|&#|&commat|&period/i;

/** A text as it reads, and where each place of it stands in the text as it was written. */
export interface Folded {
  readonly text: string;
  /** The place in the original at which the character at `place` begins. */
  readonly from: (place: number) => number;
  /** The place in the original at which the character before `place` ends. */
  readonly upTo: (place: number) => number;
}

/** Undoes disguises, so that nothing is overlooked for its writing alone. */
export function folded(text: string): Folded {
  if (!MAY_BE_DISGUISED.test(text)) return { text, from: same, upTo: same };
  let plain = '';
  let copied = 0;
  /** For each change: where it begins and ends in the plain text, and in the original. */
  const changes: number[] = [];
  for (const { 0: written, index } of text.matchAll(DISGUISE)) {
    const reads = readingOf(written);
    if (reads === written) continue;
    plain += text.slice(copied, index);
    changes.push(plain.length, plain.length + reads.length, index, index + written.length);
    plain += reads;
    copied = index + written.length;
  }
  if (changes.length === 0) return { text, from: same, upTo: same };
  plain += text.slice(copied);
  return {
    text: plain,
    from: (place) => original(changes, place, false),
    upTo: (place) => original(changes, place, true),
  };
}

function same(place: number): number {
  return place;
}

/** Binary search for the last change that begins before the place. */
function original(changes: readonly number[], place: number, isEnd: boolean): number {
  let low = 0;
  let high = changes.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    const start = changes[4 * middle] as number;
    if (isEnd ? start < place : start <= place) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return place;
  const [, plainEnd, start, end] = changes.slice(4 * low - 4, 4 * low) as [
    number,
    number,
    number,
    number,
  ];
  if (place >= plainEnd) return end + place - plainEnd;
  return isEnd ? end : start;
}

function readingOf(written: string): string {
  if (written.startsWith('%')) return characterOf(written.slice(-2), 16);
  if (written.startsWith('\\')) return characterOf(written.replace('}', '').slice(-2), 16);
  if (written.startsWith('&')) {
    if (/^&commat/i.test(written)) return '@';
    if (/^&period/i.test(written)) return '.';
    const isHex = /^&#x/i.test(written);
    return characterOf(written.slice(isHex ? 3 : 2, -1), isHex ? 16 : 10);
  }
  const code = written.codePointAt(0) as number;
  if (/^\p{Nd}/u.test(written)) return String(digitOf(code));
  if (/^[\u2010-\u2015\u2043\u2212]/.test(written)) return '-';
  if (/^[\u2024\u3002\uff61]/.test(written)) return '.';
  // What has no width or place reads as nothing; all others are what NFKC takes them for.
  return isNothing(written) ? '' : written.normalize('NFKC');
}

function isNothing(written: string): boolean {
  return /^[\p{C}\p{Mn}\u115f\u1160\u2800\u3164\uffa0]/u.test(written);
}

function characterOf(code: string, base: number): string {
  const character = String.fromCharCode(Number.parseInt(code, base));
  return /[\x20-\x7e]/.test(character) ? character : ' ';
}

/** Unicode keeps decimal digits in tens, each from its zero on. */
function digitOf(code: number): number {
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  let zero = code;
  while (code - zero < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return code - zero;
}
