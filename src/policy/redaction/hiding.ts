import type { Sliced } from '../../slices.ts';
import type { Digests } from './digests.ts';
import type { Finder } from './finding/finder.ts';
import { readingsOf } from './folding.ts';
import { REDACTION_KINDS } from './kinds.ts';
import type { RedactionMode } from './rules.ts';
import { tokenOf } from './tokens.ts';
import type { TokenHolder, Vault } from './vault.ts';

/** What is hidden from whom. */
export interface Hiding {
  readonly finders: ReadonlyMap<string, readonly Finder[]>;
  readonly modes: ReadonlyMap<string, RedactionMode>;
  /** Whether there are kinds of a policy's own, of which nothing is known. */
  readonly hasOwnPatterns: boolean;
  /** Who gets the tokens. */
  readonly holder: TokenHolder;
  readonly vault: Vault;
  readonly digests: Digests;
}

/** A place in a text that is to be hidden. */
export interface Hidden {
  start: number;
  end: number;
  kind: string;
  mode: RedactionMode;
  /** Characters of the find that gave it its kind. */
  longest: number;
}

const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/** How often what stands right at a find is looked at once more. */
export const MOST_LOOKS = 10;
const GLUE = /[^\s",;]/;
/** Characters of the shortest find of a known kind: `a@b.cc`. */
const FEWEST = 6;

/** Characters of a text that are looked at without a pause; patterns never see many more. */
const WINDOW = 16 * 1024;
/** Characters before a window that a find in it may depend on, such as a word that explains it. */
const LEAD = 576;
/** Characters behind a window up to which a find that begins in it is whole. */
const REACH = 2 * 1024;
/** Characters at a window's end in which a space is looked for, so that no word is cut. */
const SEAM = 512;

/**
 * The places of a text to hide, in order and apart from each other. Where something stands right
 * at a find, it is looked at again without it: what is part of no longer word may be somebody's.
 */
export function* findingsIn(
  text: string,
  member: string | undefined,
  hiding: Hiding,
  looks = MOST_LOOKS,
  first?: readonly Hidden[],
): Sliced<readonly Hidden[]> {
  const found =
    first ??
    (text.length <= WINDOW + REACH
      ? firstFindingsIn(text, member, hiding)
      : yield* inWindows(text, hiding));
  if (found.length === 0 || looks === 0) return found;
  const all: Hidden[] = [];
  let from = 0;
  let isGlued = false;
  function* lookAgain(to: number): Sliced<void> {
    yield;
    if (to - from < FEWEST && !hiding.hasOwnPatterns) return;
    for (const more of yield* findingsIn(text.slice(from, to), undefined, hiding, looks - 1)) {
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

/** What one look at a short text finds, in order and apart from each other. */
export function firstFindingsIn(
  text: string,
  member: string | undefined,
  hiding: Hiding,
): readonly Hidden[] {
  return apart(placesIn(text, member, hiding));
}

/** The same for a long text, a window at a time. A find that goes beyond one is followed to its end. */
function* inWindows(text: string, hiding: Hiding): Sliced<readonly Hidden[]> {
  const all: Hidden[] = [];
  for (let from = 0; from < text.length; ) {
    const start = Math.max(0, from - LEAD);
    const seam = seamOf(text, from + WINDOW);
    const end = Math.min(text.length, seam + REACH);
    const places = placesIn(text.slice(start, end), undefined, hiding)
      .map((place) => ({ ...place, start: place.start + start, end: place.end + start }))
      .filter((place) => place.start >= from && place.start < seam);
    let next = seam;
    for (const place of places) {
      if (place.end === end) place.end = endOfLongFind(text, place);
      next = Math.max(next, place.end);
    }
    apart(places, all);
    from = next;
    yield;
  }
  return all;
}

/** Behind the last space before a place, unless that is far. */
function seamOf(text: string, place: number): number {
  if (place >= text.length) return text.length;
  for (let at = place; at > place - SEAM; at--) if (/\s/.test(text[at - 1] as string)) return at;
  return place;
}

/** A private key goes up to its last line, all else up to the next space. */
function endOfLongFind(text: string, { kind, end }: Hidden): number {
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

function placesIn(text: string, member: string | undefined, { finders, modes }: Hiding): Hidden[] {
  const all: Hidden[] = [];
  for (const reading of readingsOf(text)) {
    for (const [kind, mode] of modes) {
      for (const find of finders.get(kind) ?? []) {
        for (const place of find(reading.text, member)) {
          const start = reading.from(place.start);
          const end = reading.upTo(place.end);
          if (isOfData(text, start, end) && KNOWN_KINDS.has(kind)) continue;
          if (end <= start || reading.accepts?.(kind, start, end) === false) continue;
          all.push({ start, end, kind, mode, longest: end - start });
        }
      }
    }
  }
  return all;
}

/** Letters around a find that make it a part of a picture or the like, in which any letters are. */
const MIN_DATA = 512;
const OF_BASE64 = /^[A-Za-z\d+/_-]*$/;
const KNOWN_KINDS: ReadonlySet<string> = new Set(REDACTION_KINDS);

function isOfData(text: string, start: number, end: number): boolean {
  if (text.length - (end - start) < MIN_DATA) return false;
  const before = text.slice(Math.max(0, start - 32), start);
  const behind = text.slice(end, end + MIN_DATA);
  if (!OF_BASE64.test(text.slice(start, end))) return false;
  const isBehind = behind.length === MIN_DATA && OF_BASE64.test(behind);
  const wide = text.slice(Math.max(0, start - MIN_DATA), start);
  const isBefore = wide.length === MIN_DATA && OF_BASE64.test(wide);
  return (isBehind && OF_BASE64.test(before)) || isBefore;
}

/** The same places in order, those that overlap as one, behind those that are there already. */
function apart(places: Hidden[], before: Hidden[] = []): readonly Hidden[] {
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

/** Of two that overlap nothing stays, and the stricter mode holds. */
function join(one: Hidden, other: Hidden): void {
  one.end = Math.max(one.end, other.end);
  if (other.longest > one.longest) {
    one.kind = other.kind;
    one.longest = other.longest;
  }
  if (STRICTNESS.indexOf(other.mode) > STRICTNESS.indexOf(one.mode)) one.mode = other.mode;
}

/** What stands in the place of a value; a token is kept in the vault. */
export function standIn(
  { kind, mode }: Pick<Hidden, 'kind' | 'mode'>,
  original: string,
  isNumber: boolean,
  { holder, vault, digests }: Hiding,
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
    return tokenOf(kind, id);
  }
}
