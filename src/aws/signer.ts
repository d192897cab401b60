import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { AwsCredentialIdentity, Checksum, HttpRequest, SourceData } from '@smithy/types';
import type { AwsClock } from './aws-clock.ts';
import type { Target } from './post.ts';

/** Resolves to credentials that are valid now; caches and renews them by itself, or when told to. */
export type Credentials = (options?: {
  readonly forceRefresh?: boolean;
}) => Promise<AwsCredentialIdentity>;

/** Adds what authorises a request to its headers. */
export type Signer = (request: {
  readonly target: Target;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}) => Promise<Record<string, string>>;

/** Signs POST requests with AWS Signature Version 4. */
export function sigV4Signer(
  credentials: Credentials,
  region: string,
  service: string,
  clock?: AwsClock,
): Signer {
  const signer = new SignatureV4({ credentials, region, service, sha256: Sha256 });
  return async ({ target, headers, body }) => {
    const { protocol, hostname, path, query } = target;
    const request: HttpRequest = {
      method: 'POST',
      protocol,
      hostname,
      path,
      // Signed as a query, never as part of the path: the service reads it so.
      query,
      headers: { ...headers, host: target.host },
      body,
    };
    const at = clock && { signingDate: new Date(clock.now()) };
    return (await signer.sign(request, at)).headers;
  };
}

/** SHA-256 by OpenSSL; the SDK's own default is written in JavaScript. */
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
