import { createHmac } from 'node:crypto';
import { LruCache } from '../base/cache.ts';

/** The side of the conversation that receives a token instead of the value. */
export type TokenHolder = 'client' | 'server';

/** The value behind a token. */
export interface VaultEntry {
  readonly kind: string;
  readonly holder: TokenHolder;
  /** The unchanged text of a string, or the JSON of a number. */
  readonly original: string;
  readonly isNumber: boolean;
}

/** Stores the values of tokens. */
export interface Vault {
  keep(id: string, kept: VaultEntry): void;
  find(id: string): VaultEntry | undefined;
  /**
   * Resolves when all values are on disk, if the vault is persistent. Rejects if they cannot be
   * written.
   */
  settled(): Promise<void>;
  /**
   * Reads the values stored by other processes. Resolves with false if nothing has changed.
   */
  refresh(): Promise<boolean>;
}

/** Maximum weight of a vault in memory, in characters. */
const MAX_VAULT_BYTES = 64 * 1024 * 1024;

/** The weight of an entry without its value. */
const ENTRY = 200;

/** A vault in memory. Beyond its maximum, the least recently used values are removed. */
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
 * Returns a token such as `<email:1f3a5b7c9d0e2f46>`: the kind, and an id of 64 bits. It is valid
 * in any JSON string. {@link findTokens} also finds it in URLs, in HTML and in nested JSON.
 */
export function formatToken(kind: string, id: string): string {
  return `<${kind}:${id}>`;
}

/** Returns the id of a token created by {@link formatToken}. */
export function getTokenId(token: string): string {
  return token.slice(-1 - ID_LENGTH, -1);
}

/** Hexadecimal digits of an id. */
const ID_LENGTH = 16;

/** A token in a text, and its position. */
export interface WrittenToken {
  readonly kind: string;
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Encodes the value like the token: for a URL, for HTML, or for JSON. */
  readonly written: (original: string) => string;
}

/** Creates a pattern for tokens of these kinds, in every encoding. Their values may be unknown. */
export function createTokenPattern(kinds: readonly string[]): RegExp {
  const names = kinds.toSorted((one, other) => other.length - one.length).join('|');
  return new RegExp(
    `(<|&lt;|&#60;|&#x3c;|%3c|\\\\u003c)(${names})(?::|%3a|&#58;|&#x3a;)([\\da-f]{${ID_LENGTH}})(?:>|&gt;|&#62;|&#x3e;|%3e|\\\\u003e)`,
    'gi',
  );
}

/** Finds the tokens in a text. */
export function* findTokens(text: string, pattern: RegExp): Iterable<WrittenToken> {
  let from = 0;
  for (;;) {
    // Set the index each time: the pattern is shared, and the caller may search other texts.
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
 * Maximum weight of cached digests in bytes. The data of one person usually occurs several times in
 * a conversation.
 */
const MAX_CACHE_WEIGHT = 512 * 1024;

/** Creates ids of hidden values. The same value, kind and purpose have the same id. */
export class Digests {
  readonly #salt: Buffer;
  readonly #known = new LruCache<string>(MAX_CACHE_WEIGHT, (key) => 2 * key.length + 100);

  /** @param salt A secret. Without it, a value cannot be guessed from its digest. */
  constructor(salt: Buffer) {
    this.#salt = salt;
  }

  /** Returns {@link ID_LENGTH} hexadecimal digits. */
  of(purpose: string, kind: string, value: string): string {
    const key = `${purpose}\0${kind}\0${value}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const digest = createHmac('sha256', this.#salt).update(key).digest('hex').slice(0, ID_LENGTH);
    this.#known.set(key, digest);
    return digest;
  }
}
