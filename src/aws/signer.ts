import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Checksum, HttpRequest, SourceData } from '@smithy/types';
import type { SigningClock } from './aws-clock.ts';
import type { RequestTarget } from './post.ts';

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
