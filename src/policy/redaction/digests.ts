import { createHmac } from 'node:crypto';
import { LruCache } from './recent.ts';
import { ID_LENGTH } from './tokens.ts';

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
