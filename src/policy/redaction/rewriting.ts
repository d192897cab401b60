import { AgentCoreError } from '../../error.ts';
import { findingsIn, type Hiding, standIn } from './hiding.ts';
import { type LeafPlace, type LeafRewriter, rewriteLeaves } from './json-leaves.ts';
import { embeddedIn, inBase64, isBlank, isSameStyle, type Layer, layerOf } from './layers.ts';
import { tokensIn, type WrittenToken } from './tokens.ts';
import type { Kept } from './vault.ts';

/** Texts within texts that are looked into. Each JSON within JSON takes twice the backslashes. */
const DEEPEST = 12;
/** Digits below which no number is anybody's. */
const FEWEST_DIGITS = 4;

/** Too short for a secret, and without what all other kinds have. */
const ORDINARY = /^[A-Za-z _.,:-]{0,12}$/;

/** What becomes of the strings and numbers of one message, and what that amounts to. */
export class Rewriting implements LeafRewriter {
  readonly counts: Record<string, number> = {};
  restored = 0;
  /** Tokens of the right form that were not given to whoever sent them. */
  unknown = 0;
  hasNewKeys = false;
  hasNewTokens = false;
  readonly #hiding: Hiding;
  readonly #tokens: RegExp | undefined;
  #depth = 0;
  #latestKind = '';

  /** @param tokens Finds tokens; undefined where none were ever given out. */
  constructor(hiding: Hiding, tokens: RegExp | undefined) {
    this.#hiding = hiding;
    this.#tokens = tokens;
  }

  string(text: string, { isKey, path }: LeafPlace): string | undefined {
    if (text.length < 2) return undefined;
    const number = isKey ? undefined : this.#numberOf(text);
    if (number !== undefined) return number;
    const rewritten = this.#text(text, isKey ? undefined : path.at(-1));
    if (rewritten === text) return undefined;
    if (isKey) this.hasNewKeys = true;
    return JSON.stringify(rewritten);
  }

  number(token: string, { path }: LeafPlace): string | undefined {
    if (this.#hiding.modes.size === 0 || token.length < FEWEST_DIGITS) return undefined;
    const digits = digitsOf(token);
    if (digits === undefined) return undefined;
    const [first] = findingsIn(digits, path.at(-1), this.#hiding);
    if (!first) return undefined;
    return JSON.stringify(this.#standIn(first, token, true));
  }

  /** The number that a token alone stands for. */
  #numberOf(text: string): string | undefined {
    if (!this.#tokens || text[0] !== '<' || text.length > 60) return undefined;
    const [token] = tokensIn(text, this.#tokens);
    if (!token || token.start > 0 || token.end < text.length) return undefined;
    const kept = this.#find(token);
    if (!kept?.isNumber) return undefined;
    this.restored += 1;
    return kept.original;
  }

  #text(text: string, member: string | undefined): string {
    const layer = layerOf(text);
    if (layer) return this.#layered(text, layer, member);
    const rewritten = this.#plain(text, member);
    // Without the secret in it, what was no JSON has become some: it would not be turned back.
    if (rewritten !== text && this.#hiding.modes.size > 0 && layerOf(rewritten)) {
      return this.#whole(text);
    }
    return rewritten;
  }

  #layered(text: string, layer: Layer, member: string | undefined): string {
    if (this.#depth === DEEPEST) {
      throw new AgentCoreError(
        'usage',
        `The message has texts within texts, ${DEEPEST} deep, which redaction does not follow further; send them as they are`,
      );
    }
    this.#depth += 1;
    try {
      switch (layer.kind) {
        case 'json':
          return rewriteLeaves(text, this);
        case 'json-lines':
          return text
            .split('\n')
            .map((line) => (isBlank(line) ? line : rewriteLeaves(line, this)))
            .join('\n');
        case 'url': {
          const inner = this.#text(layer.text, member);
          return inner === layer.text ? text : encodeURIComponent(inner);
        }
        case 'base64': {
          const inner = this.#text(layer.text, member);
          // What is no text may be a secret all the same.
          if (inner === layer.text) return this.#plain(text, member);
          const encoded = inBase64(layer, inner);
          return isSameStyle(layer, layerOf(encoded)) ? encoded : this.#whole(text);
        }
      }
    } finally {
      this.#depth -= 1;
    }
  }

  /** Tokens turned back, and what lies between them hidden. */
  #plain(text: string, member: string | undefined): string {
    if (!this.#tokens) return this.#hidden(text, member);
    let rewritten = '';
    let copied = 0;
    for (const token of tokensIn(text, this.#tokens)) {
      const original = this.#find(token)?.original;
      if (original === undefined) {
        this.unknown += 1;
        continue;
      }
      this.restored += 1;
      rewritten += this.#hidden(text.slice(copied, token.start), undefined);
      rewritten += token.written(original);
      copied = token.end;
    }
    return copied === 0
      ? this.#hidden(text, member)
      : rewritten + this.#hidden(text.slice(copied), undefined);
  }

  #hidden(text: string, member: string | undefined): string {
    if (this.#hiding.modes.size === 0) return this.#embedded(text);
    if (this.#isOrdinary(text)) return text;
    let rewritten = '';
    let copied = 0;
    for (const found of findingsIn(text, member, this.#hiding)) {
      rewritten += this.#embedded(text.slice(copied, found.start));
      rewritten += this.#standIn(found, text.slice(found.start, found.end), false);
      copied = found.end;
    }
    return rewritten + this.#embedded(copied === 0 ? text : text.slice(copied));
  }

  /** What is in base64 among other words. */
  #embedded(text: string): string {
    let rewritten = '';
    let copied = 0;
    for (const { start, end, layer } of embeddedIn(text)) {
      const word = text.slice(start, end);
      const inner = this.#layered(word, layer, undefined);
      if (inner === word) continue;
      rewritten += text.slice(copied, start) + inner;
      copied = end;
    }
    return copied === 0 ? text : rewritten + text.slice(copied);
  }

  /** Sees without looking closer that a text is of no known kind, as most names are. */
  #isOrdinary(text: string): boolean {
    return text.length < 2 || (!this.#hiding.hasOwnPatterns && ORDINARY.test(text));
  }

  /** One token for all of a text whose parts could not be turned back to the same. */
  #whole(text: string): string {
    const kind = this.#latestKind;
    const mode = this.#hiding.modes.get(kind) ?? 'mask';
    if (mode === 'tokenize') this.hasNewTokens = true;
    return standIn({ kind, mode }, text, false, this.#hiding);
  }

  #standIn(found: Parameters<typeof standIn>[0], original: string, isNumber: boolean): string {
    const { kind, mode } = found;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.#latestKind = kind;
    if (mode === 'tokenize') this.hasNewTokens = true;
    return standIn(found, original, isNumber, this.#hiding);
  }

  /** What the sender holds, which is the other side than the one that is written to. */
  #find({ kind, id }: WrittenToken): Kept | undefined {
    const kept = this.#hiding.vault.find(id);
    return kept?.kind === kind && kept.holder !== this.#hiding.holder ? kept : undefined;
  }
}

/** The digits of a number before its point, however it is written. */
function digitsOf(token: string): string | undefined {
  const [, digits] = /^-?(\d+)(?:\.\d+)?$/.exec(token) ?? [];
  if (digits !== undefined) return digits;
  const value = Math.trunc(Math.abs(Number(token)));
  return Number.isSafeInteger(value) ? String(value) : undefined;
}
