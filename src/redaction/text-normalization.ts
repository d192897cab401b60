/**
 * Characters and escapes that normalization replaces or removes: characters without width, and
 * characters of other scripts that stand for ASCII. Also escapes of URLs (even nested), JSON,
 * programs and HTML.
 */
const DISGUISE =
  /(?:\p{Cf}|\p{Cs}|\p{Variation_Selector}|(?![\t\n\r])\p{Cc}|\u034f|[\u115f\u1160\u2800\u3164\uffa0]|(?<=[!-~])\p{Mn})+|(?! )\p{Zs}|[\u2010-\u2015\u2043\u2212\u2024\u3002]|[\ufe50-\ufe6b\uff01-\uff61]|(?!\d)\p{Nd}|[\u00b2\u00b3\u00b9\u2070-\u208e\u2460-\u2468\u24ea]|[\u{1d400}-\u{1d7cb}\u24b6-\u24e9]|%(?:25){0,4}[2-7][\da-f]|\\u00[2-7][\da-f]|\\(?:x|u\{0{0,4})[2-7][\da-f]\}?|&#(?:0{0,5}\d{2,3}|x0{0,5}[2-7][\da-f]);|&(?:commat|period);/giu;

const MAY_BE_DISGUISED = /[^\t\n\r -~]|%[2-7][\dA-Fa-f]|\\[ux]|&#|&commat|&period/i;

/** A normalized text, with the mapping of its positions to the original text. */
interface NormalizedText {
  readonly text: string;
  /** Converts the start of a range to its position in the original. */
  readonly from: (place: number) => number;
  /** Converts the end of a range to its position in the original. */
  readonly upTo: (place: number) => number;
}

/** One interpretation of a text. */
interface Interpretation extends NormalizedText {
  /** True if a detection at a range of the original counts. If `undefined`, all count. */
  readonly accepts?: (kind: string, start: number, end: number) => boolean;
}

/**
 * Returns the interpretations of a text for detection. The first is the normalized text. If the
 * text may have these forms, others are decoded quoted-printable (RFC 2045) and joined lines. From
 * these, only additional detections count.
 */
export function getInterpretations(text: string): readonly Interpretation[] {
  const first = normalizeText(text);
  const others = [
    text.includes('=') ? decodeQuotedPrintable(text) : undefined,
    text.includes('\n') ? unwrapLines(text) : undefined,
  ].filter((reading) => reading !== undefined);
  return others.length === 0 ? [first] : [first, ...others];
}

/** Normalizes a text, so special characters and escapes do not prevent detection. */
function normalizeText(text: string): NormalizedText {
  if (!MAY_BE_DISGUISED.test(text)) return { text, from: toSamePlace, upTo: toSamePlace };
  const changes = new Changes(text);
  for (const { 0: written, index } of text.matchAll(DISGUISE)) {
    const reads = decodeCharacter(written);
    if (reads !== written) changes.add(index, written.length, reads);
  }
  return changes.folded();
}

const QUOTED = /=(?:[2-7][\dA-F]|[ \t]*\r?\n)/;

const QUOTATION = /=(?:([\dA-F]{2})|[ \t]*\r?\n)/g;

/** An equals sign outside quoted-printable: that encoding would have escaped it. */
const NOT_QUOTED = /=(?![\dA-F]{2}|[ \t]*\r?$)/;

function decodeQuotedPrintable(text: string): Interpretation | undefined {
  if (!QUOTED.test(text)) return undefined;
  const changes = new Changes(text);
  let endOfLine = -1;
  let isQuoted = false;
  for (const { 0: written, 1: code, index } of text.matchAll(QUOTATION)) {
    if (index > endOfLine) {
      const start = text.lastIndexOf('\n', index) + 1;
      const end = text.indexOf('\n', index);
      endOfLine = end === -1 ? text.length : end;
      isQuoted = !NOT_QUOTED.test(text.slice(start, endOfLine));
    }
    const character = code === undefined ? '' : String.fromCharCode(Number.parseInt(code, 16));
    if (isQuoted) changes.add(index, written.length, character);
  }
  return {
    ...changes.folded(),
    accepts: (_, start, end) => changes.within(start, end) > 0,
  };
}

const BROKEN = /[A-Za-z\d][ \t]*\r?\n[ \t>]*\d/;

const BREAK = /(?<=[A-Za-z\d])[ \t]{0,8}\r?\n[ \t>]{0,8}(?=\d)/g;

/** Maximum characters in a group of a grouped number. */
const MAX_GROUP = 6;

/** Joins lines, for card and account numbers across two lines. */
function unwrapLines(text: string): Interpretation | undefined {
  if (!BROKEN.test(text)) return undefined;
  const changes = new Changes(text);
  for (const { 0: written, index } of text.matchAll(BREAK)) changes.add(index, written.length, ' ');
  const isColumn = text.indexOf('\n') !== text.trimEnd().lastIndexOf('\n');
  return {
    ...changes.folded(),
    accepts: (kind, start, end) => {
      if (changes.within(start, end) !== 1) return false;
      if (kind === 'iban') return true;
      // In a column, two long numbers are separate numbers.
      const groups = text.slice(start, end).split(/[^A-Za-z\d]+/);
      return kind === 'card' && (!isColumn || groups.every(({ length }) => length <= MAX_GROUP));
    },
  };
}

/** Collects the changes of a text, in order, and maps positions to the original. */
class Changes {
  readonly #text: string;
  #plain = '';
  #copied = 0;
  /** For each change: its start and end in the normalized text, and in the original. */
  readonly #places: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  add(index: number, length: number, reads: string): void {
    this.#plain += this.#text.slice(this.#copied, index);
    const start = this.#plain.length;
    this.#places.push(start, start + reads.length, index, index + length);
    this.#plain += reads;
    this.#copied = index + length;
  }

  /** Returns the number of changes within a range of the original. */
  within(start: number, end: number): number {
    let count = 0;
    for (let at = 2; at < this.#places.length; at += 4) {
      if ((this.#places[at] as number) >= start && (this.#places[at + 1] as number) <= end) count++;
    }
    return count;
  }

  folded(): NormalizedText {
    const places = this.#places;
    if (places.length === 0) return { text: this.#text, from: toSamePlace, upTo: toSamePlace };
    return {
      text: this.#plain + this.#text.slice(this.#copied),
      from: (place) => toOriginalPlace(places, place, false),
      upTo: (place) => toOriginalPlace(places, place, true),
    };
  }
}

function toSamePlace(place: number): number {
  return place;
}

/** Converts a position to the original by binary search for the last change before it. */
function toOriginalPlace(changes: readonly number[], place: number, isEnd: boolean): number {
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

function decodeCharacter(written: string): string {
  if (written.startsWith('%')) return toCharacter(written.slice(-2), 16);
  if (written.startsWith('\\')) return toCharacter(written.replace('}', '').slice(-2), 16);
  if (written.startsWith('&')) {
    if (/^&commat/i.test(written)) return '@';
    if (/^&period/i.test(written)) return '.';
    const isHex = /^&#x/i.test(written);
    return toCharacter(written.slice(isHex ? 3 : 2, -1), isHex ? 16 : 10);
  }
  const code = written.codePointAt(0) as number;
  if (/^\p{Nd}/u.test(written)) return String(toAsciiDigit(code));
  if (/^[\u2010-\u2015\u2043\u2212]/.test(written)) return '-';
  if (/^[\u2024\u3002\uff61]/.test(written)) return '.';
  // Remove characters without width, and normalize all others by NFKC.
  return isNothing(written) ? '' : written.normalize('NFKC');
}

function isNothing(written: string): boolean {
  return /^[\p{C}\p{Mn}\u115f\u1160\u2800\u3164\uffa0]/u.test(written);
}

function toCharacter(code: string, base: number): string {
  const character = String.fromCharCode(Number.parseInt(code, base));
  return /[\x20-\x7e]/.test(character) ? character : ' ';
}

/** Converts a digit of another script. Unicode assigns digits in blocks of ten, from zero. */
function toAsciiDigit(code: number): number {
  if (code >= 0x1d7ce && code <= 0x1d7ff) return (code - 0x1d7ce) % 10;
  let zero = code;
  while (code - zero < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return code - zero;
}
