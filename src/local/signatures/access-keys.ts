import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { ResolvedConfig } from '../config.ts';
import type { AccessKey, Principal } from './identity.ts';
import type { AccessKeyConfig } from './principal-config.ts';

/** Maximum number of issued keys to keep. A forgotten key counts as unknown, not as expired. */
const MAX_ISSUED = 10_000;

/** Access keys from the configuration and temporary keys issued by the local services. */
export class AccessKeys {
  readonly #permanent = new Map<string, AccessKey>();
  readonly #issued = new Map<string, AccessKey>();
  readonly #clock: Clock;

  constructor(config: ResolvedConfig, clock: Clock) {
    this.#clock = clock;
    for (const key of config.accessKeys) {
      this.#permanent.set(key.id, createPermanentKey(key, config));
    }
  }

  find(id: string): AccessKey | undefined {
    return this.#permanent.get(id) ?? this.#issued.get(id);
  }

  /** Issues temporary credentials. */
  issue(principal: Principal, lifetimeMs: number): AccessKey & { readonly expiresAt: number } {
    const key = {
      id: `ASIA${createRandomLetters(16)}`,
      secret: randomBytes(30).toString('base64'),
      sessionToken: randomBytes(96).toString('base64'),
      principal,
      expiresAt: this.#clock.now() + lifetimeMs,
    };
    this.#issued.set(key.id, key);
    if (this.#issued.size > MAX_ISSUED) {
      const [oldest] = this.#issued.keys();
      if (oldest !== undefined) this.#issued.delete(oldest);
    }
    return key;
  }
}

/** A stable id in the format of IAM principal ids. */
export function createPrincipalId(prefix: 'AIDA' | 'AROA', arn: string): string {
  const digest = createHash('sha256').update(arn).digest();
  return prefix + [...digest.subarray(0, 17)].map(toBase32Letter).join('');
}

function createPermanentKey(key: AccessKeyConfig, config: ResolvedConfig): AccessKey {
  const arn = key.principal ?? `arn:${config.partition}:iam::${config.account}:user/developer`;
  return {
    id: key.id,
    secret: key.secret,
    sessionToken: key.sessionToken,
    principal: {
      arn,
      account: arn.split(':')[4] ?? config.account,
      userId: createPrincipalId('AIDA', arn),
      allowed: key.allowed,
      denied: key.denied,
    },
    expiresAt: undefined,
  };
}

function createRandomLetters(count: number): string {
  return [...randomBytes(count)].map(toBase32Letter).join('');
}

/** AWS ids use the base32 alphabet. */
function toBase32Letter(byte: number): string {
  return 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.charAt(byte % 32);
}
