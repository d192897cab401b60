import { LruCache } from './recent.ts';

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
