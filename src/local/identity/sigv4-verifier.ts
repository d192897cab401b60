import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../core/clock.ts';
import type { LocalEvents, RefusalReason, SignatureFault } from '../core/events.ts';
import type { HttpExchange, RequestBody } from '../http/exchange.ts';
import type { AccessKeys, Principal } from './access-keys.ts';

// Verification of Signature Version 4. It follows the specification of AWS and uses only
// node:crypto. Code shared with the signer under test could hide the signer's mistakes.

/** The parts of a request that are signed, as received. */
interface SignedRequest {
  readonly method: string;
  /** The path as sent: percent-encoded, without the query. */
  readonly path: string;
  /** The query as sent, without the question mark. */
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** SHA-256 of the received body, in hex. */
  readonly bodySha256: string;
}

interface SignatureRefusal {
  readonly ok: false;
  readonly fault: SignatureFault;
  /** The message of AWS for the caller. */
  readonly message: string;
  readonly why: RefusalReason;
  /** The message for the log of the local runtime. */
  readonly reason: string;
}

type Verification = { readonly ok: true; readonly principal: Principal } | SignatureRefusal;

const ALGORITHM = 'AWS4-HMAC-SHA256';

const MAX_SKEW_MS = 5 * 60 * 1000;

/** Maximum number of cached signing keys. Each access key has a new one per day. */
const MAX_SIGNING_KEYS = 500;

interface Credential {
  readonly keyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
}

/** Verifies signatures with the access keys of a local runtime. */
export class SigV4Verifier {
  readonly #keys: AccessKeys;
  readonly #clock: Clock;
  readonly #signingKeys = new Map<string, Buffer>();

  constructor(keys: AccessKeys, clock: Clock) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Verifies the signature of a request to `service` in one of `regions`. */
  verify(request: SignedRequest, service: string, regions: readonly string[]): Verification {
    const { authorization } = request.headers;
    if (!authorization?.startsWith(ALGORITHM)) {
      return createSignatureRefusal(
        'missing',
        'Missing Authentication Token',
        'unsigned',
        'it is not signed by SigV4',
      );
    }
    const fields = readFields(authorization.slice(ALGORITHM.length));
    const credential = readCredential(fields.get('Credential'));
    const signature = fields.get('Signature');
    const signedHeaders = fields.get('SignedHeaders')?.split(';');
    if (!credential || !signature || !signedHeaders) {
      return createSignatureRefusal(
        'incomplete',
        "Authorization header requires 'Credential', 'Signature' and 'SignedHeaders' parameters.",
        'incomplete',
      );
    }
    const sentDate = getHeader(request.headers, 'x-amz-date');
    const sentAt = sentDate === undefined ? undefined : readAmzDate(sentDate);
    if (sentDate === undefined || sentAt === undefined) {
      return createSignatureRefusal(
        'incomplete',
        "Authorization header requires existence of a valid 'X-Amz-Date'.",
        'incomplete',
      );
    }
    if (!signedHeaders.includes('host') || !signedHeaders.includes('x-amz-date')) {
      return createSignatureRefusal(
        'invalid',
        "'Host' and 'X-Amz-Date' must be signed headers.",
        'incomplete',
      );
    }
    const key = this.#keys.find(credential.keyId);
    const token = getHeader(request.headers, 'x-amz-security-token');
    if (!key) {
      const reason = `nobody here has the access key ${credential.keyId}`;
      return createSignatureRefusal('unknown-key', INVALID_TOKEN, 'unknown-key', reason);
    }
    if (key.sessionToken !== token) {
      return createSignatureRefusal(
        'unknown-key',
        INVALID_TOKEN,
        'session-token',
        describeSessionTokenMismatch(key, token),
      );
    }
    const wrongScope = validateScope(credential, sentDate, service, regions);
    if (wrongScope) return createSignatureRefusal('invalid', wrongScope, 'scope');
    const wrongTime = this.#timeFault(sentDate, sentAt);
    if (wrongTime) return createSignatureRefusal('invalid', wrongTime, 'skew');
    const canonical = createCanonicalRequest(request, signedHeaders);
    if (
      canonical === undefined ||
      !this.#matches(signature, canonical, sentDate, credential, key)
    ) {
      return createSignatureRefusal(
        'invalid',
        'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
        'mismatch',
        `the signature does not match: another secret than that of ${key.id}, or the request was changed on its way`,
      );
    }
    if (key.expiresAt !== undefined && key.expiresAt <= this.#clock.now()) {
      return createSignatureRefusal(
        'expired-token',
        EXPIRED_TOKEN,
        'expired-token',
        `the credentials ${key.id} have expired`,
      );
    }
    return { ok: true, principal: key.principal };
  }

  #timeFault(sentDate: string, sentAt: number): string | undefined {
    const now = this.#clock.now();
    if (sentAt < now - MAX_SKEW_MS) {
      return `Signature expired: ${sentDate} is now earlier than ${formatAmzDate(now - MAX_SKEW_MS)} (${formatAmzDate(now)} - 5 min.)`;
    }
    if (sentAt > now + MAX_SKEW_MS) {
      return `Signature not yet current: ${sentDate} is still later than ${formatAmzDate(now + MAX_SKEW_MS)} (${formatAmzDate(now)} + 5 min.)`;
    }
    return undefined;
  }

  #matches(
    signature: string,
    canonical: string,
    sentDate: string,
    credential: Credential,
    key: { readonly id: string; readonly secret: string },
  ): boolean {
    const { date, region, service, terminator } = credential;
    const scope = `${date}/${region}/${service}/${terminator}`;
    const text = `${ALGORITHM}\n${sentDate}\n${scope}\n${sha256(canonical)}`;
    const expected = hmac(this.#signingKey(key, scope, credential), text);
    const given = Buffer.from(signature, 'hex');
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #signingKey(
    key: { readonly id: string; readonly secret: string },
    scope: string,
    { date, region, service, terminator }: Credential,
  ): Buffer {
    const name = `${key.id}/${scope}`;
    const known = this.#signingKeys.get(name);
    if (known) return known;
    const dateKey = hmac(`AWS4${key.secret}`, date);
    const made = hmac(hmac(hmac(dateKey, region), service), terminator);
    if (this.#signingKeys.size >= MAX_SIGNING_KEYS) this.#signingKeys.clear();
    this.#signingKeys.set(name, made);
    return made;
  }
}

export const EXPIRED_TOKEN = 'The security token included in the request is expired';

const INVALID_TOKEN = 'The security token included in the request is invalid.';

function createSignatureRefusal(
  kind: SignatureFault,
  message: string,
  why: RefusalReason,
  reason = message,
): SignatureRefusal {
  return { ok: false, fault: kind, message, why, reason };
}

function describeSessionTokenMismatch(
  { id, sessionToken }: { readonly id: string; readonly sessionToken: string | undefined },
  sent: string | undefined,
): string {
  if (sent === undefined) return `the session token of ${id} is missing`;
  if (sessionToken !== undefined) return `the session token is not that of ${id}`;
  return `${id} has no session token, and the request carries one: unset AWS_SESSION_TOKEN`;
}

/** Parses the fields `Credential=…, SignedHeaders=…, Signature=…`, in any order. */
function readFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of text.split(',')) {
    const equals = part.indexOf('=');
    if (equals > 0) fields.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim());
  }
  return fields;
}

function readCredential(text: string | undefined): Credential | undefined {
  const [keyId, date, region, service, terminator, ...more] = text?.split('/') ?? [];
  if (!keyId || !date || !region || !service || !terminator || more.length > 0) return undefined;
  return { keyId, date, region, service, terminator };
}

function validateScope(
  { date, region, service, terminator }: Credential,
  sentDate: string,
  wantedService: string,
  regions: readonly string[],
): string | undefined {
  if (!regions.includes(region)) {
    return `Credential should be scoped to a valid region, not '${region}'.`;
  }
  if (service !== wantedService) {
    return `Credential should be scoped to correct service: '${wantedService}'.`;
  }
  if (terminator !== 'aws4_request') {
    return "Credential should be scoped with a valid terminator: 'aws4_request'.";
  }
  if (!sentDate.startsWith(date)) {
    return `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date}' != '${sentDate.slice(0, 8)}'.`;
  }
  return undefined;
}

/**
 * Returns `undefined` if a signed header is missing, or if the encoding of the query is invalid.
 */
function createCanonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
): string | undefined {
  const query = createCanonicalQuery(request.query);
  if (query === undefined) return undefined;
  const headers: string[] = [];
  for (const name of signedHeaders) {
    const value = getHeader(request.headers, name);
    if (value === undefined) return undefined;
    headers.push(`${name}:${value.trim().replace(/\s+/g, ' ')}\n`);
  }
  return [
    request.method,
    createCanonicalPath(request.path),
    query,
    headers.join(''),
    signedHeaders.join(';'),
    request.bodySha256,
  ].join('\n');
}

/** Encodes the path again. All services except S3 require this for the already encoded path. */
function createCanonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  const trailing = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${trailing}`;
}

function createCanonicalQuery(query: string): string | undefined {
  if (query === '') return '';
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decode(equals < 0 ? part : part.slice(0, equals));
    const value = decode(equals < 0 ? '' : part.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    pairs.push([encode(name), encode(value)]);
  }
  // Sort by the encoded name, then by the encoded value, in code point order.
  pairs.sort(
    ([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB),
  );
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function getHeader(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function readAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

function formatAmzDate(time: number): string {
  return new Date(time).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Checks the signature of a request. If it is refused, emits an event with the reason. */
export function checkSignature(
  { verifier, events }: { readonly verifier: SigV4Verifier; readonly events: LocalEvents },
  exchange: HttpExchange,
  body: RequestBody,
  service: string,
  regions: readonly string[],
): Verification {
  const verification = verifier.verify(
    {
      method: exchange.request.method ?? '',
      path: exchange.path,
      query: exchange.query,
      headers: exchange.headers,
      bodySha256: body.sha256,
    },
    service,
    regions,
  );
  if (!verification.ok) {
    const { why, reason } = verification;
    const { record } = exchange;
    record.refusal = reason;
    events.emit(() => ({ type: 'signature-refused', why, reason, request: record }));
  }
  return verification;
}
