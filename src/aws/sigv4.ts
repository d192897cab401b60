import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Checksum, HttpRequest, SourceData } from '@smithy/types';
import type { Log } from '../base/logger.ts';
import type { RequestTarget } from '../http/post.ts';

/**
 * Resolves to valid credentials. Caches and refreshes them when needed or if `forceRefresh` is set.
 * With `preferCached`, valid cached credentials are used even if their files have changed.
 */
export type Credentials = (options?: {
  readonly forceRefresh?: boolean;
  readonly preferCached?: boolean;
}) => Promise<AwsCredentialIdentity>;

/** Returns the request headers with authorization added. */
export type Signer = (request: {
  readonly target: RequestTarget;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}) => Promise<Record<string, string>>;

/** Signs POST requests with AWS Signature Version 4. */
export function createSigV4Signer(
  credentials: Credentials,
  region: string,
  service: string,
  clock?: SigningClock,
): Signer {
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  return async ({ target, headers, body }) => {
    const { protocol, hostname, path, query } = target;
    const request: HttpRequest = {
      method: 'POST',
      protocol,
      hostname,
      path,
      // Sign the query separately from the path, because the service verifies it this way.
      query,
      headers: { ...headers, host: target.host },
      body,
    };
    const at = clock && { signingDate: new Date(clock.now()) };
    return (await signer.sign(request, at)).headers;
  };
}

/** SHA-256 by OpenSSL. The SDK's default is slower, because it is written in JavaScript. */
class Sha256 implements Checksum {
  readonly #secret: SourceData | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: SourceData) {
    this.#secret = secret;
    this.#hash = this.#create();
  }

  update(data: Uint8Array | string): void {
    this.#hash.update(data);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#create();
  }

  #create(): Hash | Hmac {
    if (this.#secret === undefined) return createHash('sha256');
    return createHmac('sha256', this.#secret as string | Uint8Array);
  }
}

/**
 * The clock for signatures and credential expiry. It is the system clock, corrected by the `Date`
 * header of AWS responses if the difference is too large for a valid signature.
 */
export class SigningClock {
  readonly #machine: () => number;
  readonly #log: Log | undefined;
  /** Milliseconds by which AWS is ahead of the system clock. */
  #offset = 0;
  #correctedAt = Number.NEGATIVE_INFINITY;

  /**
   * @param machine The current time in milliseconds since the epoch. The default is the system
   * clock.
   */
  constructor(log?: Log, machine: () => number = Date.now) {
    this.#log = log;
    this.#machine = machine;
  }

  /** In milliseconds since the epoch. */
  now(): number {
    return this.#machine() + this.#offset;
  }

  /**
   * Updates the offset from a response's `Date` header (RFC 9110, 6.6.1). Ignores invalid dates.
   */
  learn(date: string | undefined): void {
    const machine = this.#machine();
    const offset = Date.parse(date ?? '') - machine;
    if (!(Math.abs(offset - this.#offset) > BEARABLE_SKEW)) return;
    const skew = describeClockSkew(date, machine);
    this.#offset = skew ? offset : 0;
    this.#correctedAt = performance.now();
    if (skew) this.#log?.('warning', `Requests are signed with the time of AWS: ${skew}`);
  }

  /** True if the clock was corrected after this time (`performance.now()`). */
  wasCorrectedSince(moment: number): boolean {
    return this.#correctedAt > moment;
  }
}

/**
 * Tolerated skew in milliseconds. AWS tolerates five minutes; the rest allows for slow responses.
 */
const BEARABLE_SKEW = 120_000;

/**
 * Describes the skew of a clock as the end of a sentence. Returns `undefined` if it is tolerated.
 *
 * @param date The `Date` header of a response.
 * @param now The clock's time, in milliseconds since the epoch.
 */
export function describeClockSkew(date: string | undefined, now = Date.now()): string | undefined {
  const skew = now - Date.parse(date ?? '');
  if (!(Math.abs(skew) > BEARABLE_SKEW)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const off = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return `the clock of this machine is ${off} ${skew > 0 ? 'fast' : 'slow'}, set it`;
}
