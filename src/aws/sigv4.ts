import { createHmac, hash } from 'node:crypto';
import type { AwsCredentialIdentity } from '@smithy/types';
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

/**
 * Signs POST requests with AWS Signature Version 4. Written here rather than taken from the AWS
 * SDK, because its signer loads 90 kB before the first call and takes longer for each one.
 *
 * Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createSigV4Signer(
  credentials: Credentials,
  region: string,
  service: string,
  clock: { now(): number } = Date,
): Signer {
  let signingKey: { readonly secret: string; readonly day: string; readonly key: Buffer };
  return async ({ target, headers, body }) => {
    const { accessKeyId, secretAccessKey: secret, sessionToken } = await credentials();
    const timestamp = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '');
    const day = timestamp.slice(0, 8);
    if (signingKey?.secret !== secret || signingKey.day !== day) {
      signingKey = { secret, day, key: deriveSigningKey(secret, [day, region, service]) };
    }
    const signed: Record<string, string> = {
      ...headers,
      host: target.host,
      'x-amz-date': timestamp,
      'x-amz-content-sha256': hash('sha256', body),
    };
    if (sessionToken !== undefined) signed['x-amz-security-token'] = sessionToken;
    const scope = `${day}/${region}/${service}/aws4_request`;
    const { request, names } = createCanonicalRequest(target, signed);
    const text = `${ALGORITHM}\n${timestamp}\n${scope}\n${hash('sha256', request)}`;
    const signature = createHmac('sha256', signingKey.key).update(text).digest('hex');
    signed.authorization = `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    return signed;
  };
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** A key signs all requests of one day (UTC), Region and service. */
function deriveSigningKey(secret: string, scope: readonly string[]): Buffer {
  return [...scope, 'aws4_request'].reduce<Buffer>(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${secret}`),
  );
}

/** Headers that a proxy on the way may change. The AWS SDK leaves the same ones unsigned. */
const UNSIGNED =
  /^(?:authorization|cache-control|connection|expect|from|keep-alive|max-forwards|pragma|referer|te|trailer|transfer-encoding|upgrade|user-agent|x-amzn-trace-id|(?:proxy|sec)-.*)$/;

/** The text to sign, and the names of the signed headers with `;` between them. */
function createCanonicalRequest(
  { path, query }: RequestTarget,
  headers: Readonly<Record<string, string>>,
): { readonly request: string; readonly names: string } {
  const signed = Object.entries(headers)
    .map(([name, value]) => [name.toLowerCase(), value.replace(/\s+/g, ' ').trim()] as const)
    .filter(([name]) => !UNSIGNED.test(name))
    .sort(([one], [other]) => (one < other ? -1 : 1));
  const parameters = Object.entries(query)
    .map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`)
    .sort();
  const names = signed.map(([name]) => name).join(';');
  const request = [
    'POST',
    // The path is encoded twice, and empty segments do not count.
    path
      .replace(/\/{2,}/g, '/')
      .split('/')
      .map(escapeUri)
      .join('/'),
    parameters.join('&'),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    headers['x-amz-content-sha256'],
  ].join('\n');
  return { request, names };
}

/** Percent-encodes all characters except the unreserved ones of RFC 3986. */
function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
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
    if (!(Math.abs(offset - this.#offset) > MAX_SKEW_MS)) return;
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
const MAX_SKEW_MS = 120_000;

/**
 * Describes the skew of a clock as the end of a sentence. Returns `undefined` if it is tolerated.
 *
 * @param date The `Date` header of a response.
 * @param now The clock's time, in milliseconds since the epoch.
 */
export function describeClockSkew(date: string | undefined, now = Date.now()): string | undefined {
  const skew = now - Date.parse(date ?? '');
  if (!(Math.abs(skew) > MAX_SKEW_MS)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const off = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return `the clock of this machine is ${off} ${skew > 0 ? 'fast' : 'slow'}, set it`;
}
