import type { Sliced } from '../base/async.ts';
import {
  decodeLayer,
  encodeLayer,
  findEmbeddedLayer,
  findLineEnd,
  isBlank,
  isSameStyle,
  isSimple,
  type Layer,
} from './encodings.ts';
import {
  type LeafPlace,
  type LeafRewriter,
  type Rewritten,
  rewriteLeaves,
  serializeString,
  TextBuilder,
} from './json-leaves.ts';
import { type Detector, REDACTION_KINDS, type RedactionMode } from './rules.ts';
import { getInterpretations } from './text-normalization.ts';
import {
  type Digests,
  findTokens,
  formatToken,
  getTokenId,
  type TokenHolder,
  type Vault,
  type VaultEntry,
  type WrittenToken,
} from './tokens.ts';

/**
 * Maximum depth of nested encoded texts. Deeper ones are treated as plain text. Each level of JSON
 * in JSON doubles the backslashes.
 */
const MAX_DEPTH = 12;

/** Minimum digits of a personal number. */
const FEWEST_DIGITS = 4;

/** Maximum length of a number to interpret in every notation, such as an exponent. */
const MAX_NUMBER_LENGTH = 400;

/** The first characters of a token in any encoding. */
const MAY_BE_TOKEN = /[<&%\\]/;

/** Maximum recorded token ids of one message. */
const MAX_IDS = 500;

/** Texts too short for a secret, without the characters of all other kinds. */
const ORDINARY = /^[A-Za-z _.,:-]{0,12}$/;

/** Redacts the strings and numbers of one message, restores tokens, and counts both. */
export class MessageRewriter implements LeafRewriter {
  readonly counts: Record<string, number> = {};
  restored = 0;
  /** Ids of the first inserted and restored tokens, for the audit. */
  readonly issuedIds = new Set<string>();
  readonly restoredIds = new Set<string>();
  /** Number of well-formed tokens without a known value for their sender. */
  unknown = 0;
  hasNewKeys = false;
  hasNewTokens = false;
  readonly #hiding: DetectionConfig;
  readonly #tokens: RegExp | undefined;
  #depth = 0;
  #latestKind = '';

  /** @param tokens Matches tokens. `undefined` if no rule creates tokens. */
  constructor(hiding: DetectionConfig, tokens: RegExp | undefined) {
    this.#hiding = hiding;
    this.#tokens = tokens;
  }

  string(text: string, { isKey, path }: LeafPlace): Rewritten {
    if (text.length < 2) return undefined;
    const member = isKey ? undefined : path.at(-1);
    if (!isSimple(text) || (this.#tokens && MAY_BE_TOKEN.test(text))) {
      return this.#string(text, isKey, member);
    }
    if (this.#hiding.modes.size === 0 || this.#isOrdinary(text)) return undefined;
    const first = findValuesOnce(text, member, this.#hiding);
    return first.length === 0 ? undefined : this.#string(text, isKey, member, first);
  }

  /** @param first The detected values of a simple text, if it was searched before. */
  *#string(
    text: string,
    isKey: boolean,
    member: string | undefined,
    first?: readonly DetectedRange[],
  ): Sliced<string | undefined> {
    const number = isKey || first ? undefined : this.#restoreNumber(text);
    if (number !== undefined) return number;
    const rewritten = yield* this.#text(text, member, first);
    if (rewritten === text) return undefined;
    if (isKey) this.hasNewKeys = true;
    return yield* serializeString(rewritten);
  }

  number(token: string, { path }: LeafPlace): Rewritten {
    if (this.#hiding.modes.size === 0 || token.length < FEWEST_DIGITS) return undefined;
    const digits = getDigits(token);
    return digits === undefined ? undefined : this.#number(token, digits, path.at(-1));
  }

  *#number(token: string, digits: string, member: string | undefined): Sliced<string | undefined> {
    const [first] = yield* findValues(digits, member, this.#hiding);
    return first && JSON.stringify(this.#standIn(first, token, true));
  }

  /** Returns the number behind a token, if the text is one token of a number. */
  #restoreNumber(text: string): string | undefined {
    if (!this.#tokens || text[0] !== '<' || text.length > 60) return undefined;
    const [token] = findTokens(text, this.#tokens);
    if (!token || token.start > 0 || token.end < text.length) return undefined;
    const kept = this.#find(token);
    if (!kept?.isNumber) return undefined;
    this.#restore(token);
    return kept.original;
  }

  *#text(
    text: string,
    member: string | undefined,
    first?: readonly DetectedRange[],
  ): Sliced<string> {
    const layer = !first && this.#depth < MAX_DEPTH ? yield* decodeLayer(text) : undefined;
    if (layer) return yield* this.#layered(text, layer, member);
    const rewritten = first
      ? yield* this.#hidden(text, member, first)
      : yield* this.#plain(text, member);
    // If redaction turned plain text into an encoded text, it could not be restored. Replace it
    // as a whole.
    if (rewritten !== text && this.#hiding.modes.size > 0 && (yield* decodeLayer(rewritten))) {
      return this.#whole(text);
    }
    return rewritten;
  }

  *#layered(text: string, layer: Layer, member: string | undefined): Sliced<string> {
    this.#depth += 1;
    try {
      switch (layer.kind) {
        case 'json':
          return yield* rewriteLeaves(text, this);
        case 'json-lines':
          return yield* this.#lines(text);
        case 'url': {
          const inner = yield* this.#text(layer.text, member);
          yield;
          return inner === layer.text ? text : encodeURIComponent(inner);
        }
        case 'encoded': {
          const inner = yield* this.#text(layer.text, member);
          // Check the encoded text itself too: it may be a secret.
          if (inner === layer.text) return yield* this.#plain(text, member);
          const written = yield* encodeLayer(layer, inner);
          const isSame = written !== undefined && isSameStyle(layer, yield* decodeLayer(written));
          return isSame ? written : this.#whole(text);
        }
      }
    } finally {
      this.#depth -= 1;
    }
  }

  *#lines(text: string): Sliced<string> {
    const rewritten = new TextBuilder();
    for (let at = 0; at <= text.length; ) {
      const end = findLineEnd(text, at);
      const line = text.slice(at, end);
      rewritten.add(isBlank(line) ? line : yield* rewriteLeaves(line, this));
      rewritten.add(text.slice(end, end + 1));
      at = end + 1;
      yield;
    }
    return rewritten.text;
  }

  /** Restores the tokens of a text, and hides values between them. */
  *#plain(text: string, member: string | undefined): Sliced<string> {
    if (!this.#tokens) return yield* this.#hidden(text, member);
    const rewritten = new TextBuilder();
    let copied = 0;
    for (const token of findTokens(text, this.#tokens)) {
      yield;
      const original = this.#find(token)?.original;
      if (original === undefined) {
        this.unknown += 1;
        continue;
      }
      this.#restore(token);
      rewritten.add(yield* this.#hidden(text.slice(copied, token.start), undefined));
      rewritten.add(token.written(original));
      copied = token.end;
    }
    if (copied === 0) return yield* this.#hidden(text, member);
    rewritten.add(yield* this.#hidden(text.slice(copied), undefined));
    return rewritten.text;
  }

  *#hidden(
    text: string,
    member: string | undefined,
    first?: readonly DetectedRange[],
  ): Sliced<string> {
    if (this.#hiding.modes.size === 0) return yield* this.#embedded(text);
    if (this.#isOrdinary(text)) return text;
    const rewritten = new TextBuilder();
    let copied = 0;
    for (const found of yield* findValues(text, member, this.#hiding, MAX_LOOKS, first)) {
      yield;
      const before = text.slice(copied, found.start);
      // Simple texts have no encoded words.
      rewritten.add(first ? before : yield* this.#embedded(before));
      rewritten.add(this.#standIn(found, text.slice(found.start, found.end), false));
      copied = found.end;
    }
    if (copied === 0) return yield* this.#embedded(text);
    const rest = text.slice(copied);
    rewritten.add(first ? rest : yield* this.#embedded(rest));
    return rewritten.text;
  }

  /** Redacts encoded texts within other text. */
  *#embedded(text: string): Sliced<string> {
    if (this.#depth === MAX_DEPTH) return text;
    const rewritten = new TextBuilder();
    let copied = 0;
    let next = yield* findEmbeddedLayer(text, 0);
    for (; next; next = yield* findEmbeddedLayer(text, next.end)) {
      const { start, end, layer } = next;
      yield;
      const word = text.slice(start, end);
      const inner = yield* this.#layered(word, layer, undefined);
      if (inner === word) continue;
      rewritten.add(text.slice(copied, start) + inner);
      copied = end;
    }
    if (copied === 0) return text;
    rewritten.add(text.slice(copied));
    return rewritten.text;
  }

  /** Fast check: true if a text cannot contain a value of any kind, like most names. */
  #isOrdinary(text: string): boolean {
    return text.length < 2 || (!this.#hiding.hasOwnPatterns && ORDINARY.test(text));
  }

  /** Replaces the whole text. Used if redacted parts could not be restored to the same bytes. */
  #whole(text: string): string {
    const kind = this.#latestKind;
    const mode = this.#hiding.modes.get(kind) ?? 'mask';
    return this.#issue(createPlaceholder({ kind, mode }, text, false, this.#hiding), mode);
  }

  #standIn(
    found: Parameters<typeof createPlaceholder>[0],
    original: string,
    isNumber: boolean,
  ): string {
    const { kind, mode } = found;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.#latestKind = kind;
    return this.#issue(createPlaceholder(found, original, isNumber, this.#hiding), mode);
  }

  #issue(written: string, mode: RedactionMode): string {
    if (mode !== 'tokenize') return written;
    this.hasNewTokens = true;
    if (this.issuedIds.size < MAX_IDS) this.issuedIds.add(getTokenId(written));
    return written;
  }

  #restore({ id }: WrittenToken): void {
    this.restored += 1;
    if (this.restoredIds.size < MAX_IDS) this.restoredIds.add(id);
  }

  /** Finds the value of a token. The sender must hold the token, that is, not the receiver. */
  #find({ kind, id }: WrittenToken): VaultEntry | undefined {
    const kept = this.#hiding.vault.find(id);
    return kept?.kind === kind && kept.holder !== this.#hiding.holder ? kept : undefined;
  }
}

/** Returns the digits before the decimal point of a number in any notation. */
function getDigits(token: string): string | undefined {
  // Longer numbers are not personal, but a policy's own pattern may match them.
  if (token.length > MAX_NUMBER_LENGTH) return getLeadingDigits(token);
  const [, digits] = /^-?(\d+)(?:\.\d+)?$/.exec(token) ?? [];
  if (digits !== undefined) return digits;
  const value = Math.trunc(Math.abs(Number(token)));
  return Number.isSafeInteger(value) ? String(value) : undefined;
}

function getLeadingDigits(token: string): string {
  const start = token[0] === '-' ? 1 : 0;
  let end = start;
  while (token.charCodeAt(end) >= 0x30 && token.charCodeAt(end) <= 0x39) end++;
  return token.slice(start, end);
}

/** The configuration of detection and replacement for one direction. */
interface DetectionConfig {
  readonly detectors: ReadonlyMap<string, readonly Detector[]>;
  readonly modes: ReadonlyMap<string, RedactionMode>;
  /** True if a policy has its own patterns. The fast checks do not apply to them. */
  readonly hasOwnPatterns: boolean;
  /** The receiver of the message, and of its tokens. */
  readonly holder: TokenHolder;
  readonly vault: Vault;
  readonly digests: Digests;
}

/** A range of a text to hide. */
interface DetectedRange {
  start: number;
  end: number;
  kind: string;
  mode: RedactionMode;
  /** Characters of the longest merged detection. It determines the kind. */
  longest: number;
}

const STRICTNESS: readonly RedactionMode[] = ['tokenize', 'hash', 'mask'];

/** Maximum depth of further searches next to a detected value. */
const MAX_LOOKS = 10;

const GLUE = /[^\s",;]/;

/** Minimum length of a value of a built-in kind: `a@b.cc`. */
const FEWEST = 6;

/** Characters of a window of a long text. Each window is searched without a pause. */
const WINDOW = 16 * 1024;

/** Characters before a window. They may affect a detection in it, such as an explanatory word. */
const LEAD = 576;

/** Characters after a window. A value that begins in the window may end there. */
const REACH = 2 * 1024;

/** Characters at the end of a window to search for a space, so no word is cut. */
const SEAM = 512;

/**
 * Returns the ranges of a text to hide, sorted and without overlap. If other text is directly next
 * to a detected value, it is searched again without the value. A detector may have missed it as
 * part of a longer word.
 */
function* findValues(
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

/** Returns the values of one search in a short text, sorted and without overlap. */
function findValuesOnce(
  text: string,
  member: string | undefined,
  hiding: DetectionConfig,
): readonly DetectedRange[] {
  return mergeOverlaps(runDetectors(text, member, hiding));
}

/**
 * Like {@link findValuesOnce}, for a long text, one window at a time. If a value exceeds its
 * window, it is followed to its end.
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

/** Returns the position after the last space before `place`; `place` if there is none nearby. */
function findSeam(text: string, place: number): number {
  if (place >= text.length) return text.length;
  for (let at = place; at > place - SEAM; at--) if (/\s/.test(text[at - 1] as string)) return at;
  return place;
}

/**
 * Returns the end of a value beyond its window: the end of a private key, or the next separator.
 */
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
  { detectors, modes }: DetectionConfig,
): DetectedRange[] {
  const all: DetectedRange[] = [];
  for (const reading of getInterpretations(text)) {
    for (const [kind, mode] of modes) {
      for (const find of detectors.get(kind) ?? []) {
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
 * Base64 characters next to a detected value. If there are this many, the value is part of encoded
 * data, such as a picture. Encoded data can contain any letters.
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

/** Sorts ranges, merges overlapping ones, and appends them to `before`. */
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

/** Returns the replacement of a value. For a token, stores the value in the vault. */
function createPlaceholder(
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
