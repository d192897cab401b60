import { randomUUID } from 'node:crypto';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  SignJWT,
} from 'jose';

const ALGORITHM = 'RS256';

interface SigningKey {
  readonly id: string;
  readonly secret: CryptoKey;
  readonly public: JWK;
}

/** Keys of the OAuth server. The newest one signs; all published keys verify. */
export class SigningKeys {
  /** Generated on first use, because key generation is slower than the rest of the start. */
  #keys: Promise<readonly SigningKey[]> | undefined;

  async sign(claims: JWTPayload): Promise<string> {
    const [newest] = await this.#published();
    if (!newest) throw new Error('There is no signing key');
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid: newest.id, typ: 'at+jwt' })
      .sign(newest.secret);
  }

  async publicSet(): Promise<JSONWebKeySet> {
    return { keys: (await this.#published()).map((key) => key.public) };
  }

  /** Signs with a new key from now on. If `keepOld` is false, existing tokens become invalid. */
  async rotate(keepOld: boolean): Promise<void> {
    const old = keepOld ? await this.#published() : [];
    this.#keys = createSigningKey().then((key) => [key, ...old]);
    await this.#keys;
  }

  #published(): Promise<readonly SigningKey[]> {
    this.#keys ??= createSigningKey().then((key) => [key]);
    return this.#keys;
  }
}

async function createSigningKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
  const id = randomUUID();
  const jwk = await exportJWK(publicKey);
  return {
    id,
    secret: privateKey,
    public: { ...jwk, kid: id, alg: ALGORITHM, use: 'sig' },
  };
}
