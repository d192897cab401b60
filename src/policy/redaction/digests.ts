import { createHmac } from 'node:crypto';
import { Recent } from './recent.ts';
import { ID_LENGTH } from './tokens.ts';

/** Bytes of values whose digest is known: somebody whom a conversation is about comes up again. */
const MOST_KNOWN = 512 * 1024;

/** What hidden values are called by: the same for the same value, kind and purpose. */
export class Digests {
  readonly #salt: Buffer;
  readonly #known = new Recent<string>(MOST_KNOWN, (key) => 2 * key.length + 100);

  /** @param salt Without it nobody can tell by trying which value a digest is of. */
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
