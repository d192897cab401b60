import type { Sliced } from '../../slices.ts';
import {
  createPlaceholder,
  type DetectedRange,
  type DetectionConfig,
  findValues,
  findValuesOnce,
  MAX_LOOKS,
} from './hiding.ts';
import { type LeafPlace, type LeafRewriter, type Rewritten, rewriteLeaves } from './json-leaves.ts';
import { serializeString } from './json-text.ts';
import {
  decodeLayer,
  encodeLayer,
  findEmbeddedLayer,
  findLineEnd,
  isBlank,
  isSameStyle,
  isSimple,
  type Layer,
} from './layers.ts';
import type { RedactionMode } from './rules.ts';
import { TextBuilder } from './text-builder.ts';
import { findTokens, getTokenId, type WrittenToken } from './tokens.ts';
import type { VaultEntry } from './vault.ts';

/**
 * Maximum depth of nested texts. Deeper ones are treated as plain text. Each level of JSON in JSON
 * doubles the backslashes.
 */
const MAX_DEPTH = 12;

/** Minimum number of digits of a personal number. */
const FEWEST_DIGITS = 4;

/** Maximum length of a number that is interpreted in every notation, such as an exponent. */
const MAX_NUMBER_LENGTH = 400;

/** The first characters of a token in any encoding. */
const MAY_BE_TOKEN = /[<&%\\]/;

/** Maximum number of token ids that are recorded for one message. */
const MAX_IDS = 500;

/** Texts that are too short for a secret and lack the characters of all other kinds. */
const ORDINARY = /^[A-Za-z _.,:-]{0,12}$/;

/** Rewrites the strings and numbers of one message, and counts the changes. */
export class MessageRewriter implements LeafRewriter {
  readonly counts: Record<string, number> = {};
  restored = 0;
  /** The first ids of inserted and of restored tokens, for the record. */
  readonly issuedIds = new Set<string>();
  readonly restoredIds = new Set<string>();
  /** The number of well-formed tokens that their sender did not receive. */
  unknown = 0;
  hasNewKeys = false;
  hasNewTokens = false;
  readonly #hiding: DetectionConfig;
  readonly #tokens: RegExp | undefined;
  #depth = 0;
  #latestKind = '';

  /** @param tokens Matches tokens. Undefined if no rule creates any. */
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

  /** @param first The finds of a first search in a simple text. */
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

  /** The number that a single token replaces. */
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
    // Without the secret, a text that was not JSON has become JSON, and could not be restored.
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
          // The encoded form itself may be a secret.
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

  /** Restores tokens, and hides data between them. */
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

  /** Rewrites encoded texts among other words. */
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

  /** A fast check that a text has no data of any kind, as most names. */
  #isOrdinary(text: string): boolean {
    return text.length < 2 || (!this.#hiding.hasOwnPatterns && ORDINARY.test(text));
  }

  /** One token for the whole text, if its parts could not be restored to the same bytes. */
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

  /** Finds a token that the sender holds. The sender is the side opposite to the receiver. */
  #find({ kind, id }: WrittenToken): VaultEntry | undefined {
    const kept = this.#hiding.vault.find(id);
    return kept?.kind === kind && kept.holder !== this.#hiding.holder ? kept : undefined;
  }
}

/** The digits before the decimal point of a number in any notation. */
function getDigits(token: string): string | undefined {
  // Longer numbers are never personal, but a policy's own pattern may match them.
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
