import { createHmac } from 'node:crypto';
import { LruCache } from '../base/cache.ts';

/** The side of the conversation that receives tokens and not values. */
export type TokenHolder = 'client' | 'server';

/** The original of a token. */
export interface VaultEntry {
  readonly kind: string;
  readonly holder: TokenHolder;
  /** As it was written: the text of a string, or the JSON of a number. */
  readonly original: string;
  readonly isNumber: boolean;
}

/** Stores the originals of tokens. */
export interface Vault {
  keep(id: string, kept: VaultEntry): void;
  find(id: string): VaultEntry | undefined;
  /**
   * Resolves once all stored values would survive this process, if the vault is persistent. Rejects
   * if they cannot be written.
   */
  settled(): Promise<void>;
  /**
   * Reads the values that other processes have stored. Resolves with false if nothing can have
   * changed.
   */
  refresh(): Promise<boolean>;
}

/** Maximum number of characters of stored originals. */
const MAX_VAULT_BYTES = 64 * 1024 * 1024;

/** The weight of an entry without its original. */
const ENTRY = 200;

/** A vault in memory. Beyond its limit, the least recently used values are dropped. */
export class MemoryVault implements Vault {
  readonly #kept: LruCache<VaultEntry>;

  constructor(most: number = MAX_VAULT_BYTES) {
    this.#kept = new LruCache(most, (_, { original }) => original.length + ENTRY);
  }

  keep(id: string, kept: VaultEntry): void {
    this.#kept.set(id, kept);
  }

  find(id: string): VaultEntry | undefined {
    return this.#kept.get(id);
  }

  async settled(): Promise<void> {}

  async refresh(): Promise<boolean> {
    return false;
  }
}

/**
 * `<email:1f3a5b7c9d0e2f46>`: the kind and an id of 64 bits. It is valid in any JSON string, and is
 * also found in URLs, in HTML and in JSON within a text.
 */
export function formatToken(kind: string, id: string): string {
  return `<${kind}:${id}>`;
}

/** The id of a token of {@link formatToken}. */
export function getTokenId(token: string): string {
  return token.slice(-1 - ID_LENGTH, -1);
}

/** Number of hexadecimal digits of an id. */
const ID_LENGTH = 16;

/** A token in a text. */
export interface WrittenToken {
  readonly kind: string;
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Encodes the original in the same way as the token. */
  readonly written: (original: string) => string;
}

/** Matches every text in the format of a token of these kinds, known or not. */
export function createTokenPattern(kinds: readonly string[]): RegExp {
  const names = kinds.toSorted((one, other) => other.length - one.length).join('|');
  return new RegExp(
    `(<|&lt;|&#60;|&#x3c;|%3c|\\\\u003c)(${names})(?::|%3a|&#58;|&#x3a;)([\\da-f]{${ID_LENGTH}})(?:>|&gt;|&#62;|&#x3e;|%3e|\\\\u003e)`,
    'gi',
  );
}

export function* findTokens(text: string, pattern: RegExp): Iterable<WrittenToken> {
  let from = 0;
  for (;;) {
    // The pattern is shared, and other texts are searched in between.
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    if (!match) return;
    from = pattern.lastIndex;
    const [whole, opening, kind, id] = match as unknown as [string, string, string, string];
    yield {
      kind: kind.toLowerCase(),
      id: id.toLowerCase(),
      start: match.index,
      end: match.index + whole.length,
      written: WRITING[opening[0] as string] ?? keepUnchanged,
    };
  }
}

const WRITING: Readonly<Record<string, (original: string) => string>> = {
  '%': (original) => encodeURIComponent(Buffer.from(original).toString()),
  '&': (original) => original.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
  '\\': (original) => JSON.stringify(original).slice(1, -1),
};

function keepUnchanged(original: string): string {
  return original;
}

/**
 * Bytes of cached digests and their values. The data of one person usually occurs several times in
 * a conversation.
 */
const MAX_CACHE_WEIGHT = 512 * 1024;

/** Creates the ids of hidden values: the same id for the same value, kind and purpose. */
export class Digests {
  readonly #salt: Buffer;
  readonly #known = new LruCache<string>(MAX_CACHE_WEIGHT, (key) => 2 * key.length + 100);

  /** @param salt Without the salt, a value cannot be recovered from its digest by guessing. */
  constructor(salt: Buffer) {
    this.#salt = salt;
  }

  /** {@link ID_LENGTH} hexadecimal digits. */
  of(purpose: string, kind: string, value: string): string {
    const key = `${purpose}\0${kind}\0${value}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const digest = createHmac('sha256', this.#salt).update(key).digest('hex').slice(0, ID_LENGTH);
    this.#known.set(key, digest);
    return digest;
  }
}
