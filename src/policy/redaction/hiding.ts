import type { Sliced } from '../../slices.ts';
import type { Digests } from './digests.ts';
import type { Detector } from './finding/finder.ts';
import { getInterpretations } from './folding.ts';
import { REDACTION_KINDS } from './kinds.ts';
import type { RedactionMode } from './rules.ts';
import { formatToken } from './tokens.ts';
import type { TokenHolder, Vault } from './vault.ts';

/** The configuration of detection and replacement for one direction. */
export interface DetectionConfig {
  readonly finders: ReadonlyMap<string, readonly Detector[]>;
  readonly modes: ReadonlyMap<string, RedactionMode>;
  /** Whether there are kinds of a policy's own patterns, for which no shortcut applies. */
  readonly hasOwnPatterns: boolean;
  /** The side that receives the tokens. */
  readonly holder: TokenHolder;
  readonly vault: Vault;
  readonly digests: Digests;
}

/** A range of a text to hide. */
export interface DetectedRange {
  start: number;
  end: number;
  kind: string;
  mode: RedactionMode;
  /** The length of the find that determines the kind, in characters. */
  longest: number;
}

const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/** Maximum number of further searches next to a find. */
export const MAX_LOOKS = 10;

const GLUE = /[^\s",;]/;

/** Minimum length of a find of a built-in kind: `a@b.cc`. */
const FEWEST = 6;

/** Characters that are searched without a pause. Patterns never receive many more. */
const WINDOW = 16 * 1024;

/** Characters before a window that may affect a find in it, such as an explanatory word. */
const LEAD = 576;

/** Characters after a window up to which a find that begins in it is complete. */
const REACH = 2 * 1024;

/** Characters at the end of a window in which a space is searched, so that no word is cut. */
const SEAM = 512;

/**
 * Returns the ranges of a text to hide, sorted and without overlap. If other text directly follows
 * or precedes a find, that text is searched again without the find, because it may contain data
 * once it is no longer part of a longer word.
 */
export function* findValues(
  text: string,
  member: string | undefined,
  hiding: DetectionConfig,
  looks = MAX_LOOKS,
  first?: readonly DetectedRange[],
): Sliced<readonly DetectedRange[]> {
  const found =
    first ??
    (text.length <= WINDOW + REACH
      ? findValuesOnce(text, member, hiding)
      : yield* findValuesInWindows(text, hiding));
  if (found.length === 0 || looks === 0) return found;
  const all: DetectedRange[] = [];
  let from = 0;
  let isGlued = false;
  function* lookAgain(to: number): Sliced<void> {
    yield;
    if (to - from < FEWEST && !hiding.hasOwnPatterns) return;
    for (const more of yield* findValues(text.slice(from, to), undefined, hiding, looks - 1)) {
      all.push({ ...more, start: more.start + from, end: more.end + from });
    }
  }
  for (const next of found) {
    yield;
    if (next.start > from && (isGlued || GLUE.test(text[next.start - 1] as string))) {
      yield* lookAgain(next.start);
    }
    all.push(next);
    from = next.end;
    isGlued = GLUE.test(text[from] ?? '');
  }
  if (isGlued) yield* lookAgain(text.length);
  return all;
}

/** The finds of a single search in a short text, sorted and without overlap. */
export function findValuesOnce(
  text: string,
  member: string | undefined,
  hiding: DetectionConfig,
): readonly DetectedRange[] {
  return mergeOverlaps(runDetectors(text, member, hiding));
}

/**
 * The same for a long text, one window at a time. A find that exceeds its window is followed to its
 * end.
 */
function* findValuesInWindows(
  text: string,
  hiding: DetectionConfig,
): Sliced<readonly DetectedRange[]> {
  const all: DetectedRange[] = [];
  for (let from = 0; from < text.length; ) {
    const start = Math.max(0, from - LEAD);
    const seam = findSeam(text, from + WINDOW);
    const end = Math.min(text.length, seam + REACH);
    const places = runDetectors(text.slice(start, end), undefined, hiding)
      .map((place) => ({ ...place, start: place.start + start, end: place.end + start }))
      .filter((place) => place.start >= from && place.start < seam);
    let next = seam;
    for (const place of places) {
      if (place.end === end) place.end = findLongValueEnd(text, place);
      next = Math.max(next, place.end);
    }
    mergeOverlaps(places, all);
    from = next;
    yield;
  }
  return all;
}

/** The place after the last space before `place`, if it is near. */
function findSeam(text: string, place: number): number {
  if (place >= text.length) return text.length;
  for (let at = place; at > place - SEAM; at--) if (/\s/.test(text[at - 1] as string)) return at;
  return place;
}

/** A private key extends to its last line. Other finds extend to the next space. */
function findLongValueEnd(text: string, { kind, end }: DetectedRange): number {
  if (kind === 'private-key') {
    const mark = text.indexOf('-----END ', end - '-----END '.length);
    if (mark === -1) return text.length;
    const dashes = text.indexOf('-----', mark + '-----END '.length);
    return dashes === -1 ? text.length : dashes + '-----'.length;
  }
  const gap = /[\s",;]/g;
  gap.lastIndex = end;
  return gap.exec(text)?.index ?? text.length;
}

function runDetectors(
  text: string,
  member: string | undefined,
  { finders, modes }: DetectionConfig,
): DetectedRange[] {
  const all: DetectedRange[] = [];
  for (const reading of getInterpretations(text)) {
    for (const [kind, mode] of modes) {
      for (const find of finders.get(kind) ?? []) {
        for (const place of find(reading.text, member)) {
          const start = reading.from(place.start);
          const end = reading.upTo(place.end);
          if (isInEncodedData(text, start, end) && KNOWN_KINDS.has(kind)) continue;
          if (end <= start || reading.accepts?.(kind, start, end) === false) continue;
          all.push({ start, end, kind, mode, longest: end - start });
        }
      }
    }
  }
  return all;
}

/**
 * Number of base64 characters next to a find that make it part of encoded data, such as a picture,
 * which can contain any letters.
 */
const MIN_DATA = 512;

const OF_BASE64 = /^[A-Za-z\d+/_-]*$/;

const KNOWN_KINDS: ReadonlySet<string> = new Set(REDACTION_KINDS);

function isInEncodedData(text: string, start: number, end: number): boolean {
  if (text.length - (end - start) < MIN_DATA) return false;
  const before = text.slice(Math.max(0, start - 32), start);
  const behind = text.slice(end, end + MIN_DATA);
  if (!OF_BASE64.test(text.slice(start, end))) return false;
  const isBehind = behind.length === MIN_DATA && OF_BASE64.test(behind);
  const wide = text.slice(Math.max(0, start - MIN_DATA), start);
  const isBefore = wide.length === MIN_DATA && OF_BASE64.test(wide);
  return (isBehind && OF_BASE64.test(before)) || isBefore;
}

/** Sorts the ranges and merges overlapping ones, and appends them to `before`. */
function mergeOverlaps(
  places: DetectedRange[],
  before: DetectedRange[] = [],
): readonly DetectedRange[] {
  if (places.length > 1) {
    places.sort((one, other) => one.start - other.start || other.end - one.end);
  }
  for (const next of places) {
    const last = before.at(-1);
    if (!last || next.start >= last.end) before.push(next);
    else join(last, next);
  }
  return before;
}

/** Merges two overlapping ranges. The stricter mode applies. */
function join(one: DetectedRange, other: DetectedRange): void {
  one.end = Math.max(one.end, other.end);
  if (other.longest > one.longest) {
    one.kind = other.kind;
    one.longest = other.longest;
  }
  if (STRICTNESS.indexOf(other.mode) > STRICTNESS.indexOf(one.mode)) one.mode = other.mode;
}

/** Returns the replacement of a value. Stores the original of a token in the vault. */
export function createPlaceholder(
  { kind, mode }: Pick<DetectedRange, 'kind' | 'mode'>,
  original: string,
  isNumber: boolean,
  { holder, vault, digests }: DetectionConfig,
): string {
  if (mode === 'mask') return `[redacted:${kind}]`;
  if (mode === 'hash') return `[${kind}#${digests.of('hash', kind, original)}]`;
  const form = `${holder} ${isNumber}`;
  for (let attempt = 0; ; attempt++) {
    const id = digests.of(`token ${form} ${attempt}`, kind, original);
    const known = vault.find(id);
    if (!known) vault.keep(id, { kind, holder, original, isNumber });
    else if (known.original !== original || known.kind !== kind || known.holder !== holder)
      continue;
    return formatToken(kind, id);
  }
}
