import { LruCache } from '../../base/cache.ts';
import { createTextMask } from '../../redaction/detectors.ts';
import type { JournalRecord } from './records.ts';

/** Removes secrets and personal data from records before they are written to disk. */

/** Maximum characters kept of a string. */
const STRING_LENGTH = 500;

/** Characters of a string to search, so that no secret is cut off before it is detected. */
const LOOKED_AT = STRING_LENGTH + 4_000;

/** Maximum characters of a string to parse as JSON. */
const JSON_LENGTH = 64 * 1024;

/** Maximum characters kept of a member name. */
const NAME_LENGTH = 100;

/** Maximum depth of nested values. */
const DEPTH = 8;

/** Maximum members of an object and items of an array. */
const BREADTH = 50;

/** Maximum bytes of the result as JSON. The rest up to 8 KB is reserved for truncation marks. */
const BYTES = 7 * 1024;

/**
 * Prepares arguments or results of a call for the journal. Removes likely secrets by name or form,
 * also in JSON within strings, and limits the result to 8 KB of JSON. Detection is heuristic: it
 * misses secrets that look like ordinary words.
 */
export function sanitizeValue(value: unknown): unknown {
  return new Redaction().of(value, 0);
}

/** Sanitizes one value. All its parts share the limit `BYTES`. */
class Redaction {
  #left = BYTES;

  of(value: unknown, depth: number): unknown {
    if (this.#left <= 0) return '[cut]';
    if (typeof value === 'string') return this.#spend(sanitizeString(value, depth));
    if (typeof value === 'bigint') return this.#spend(`${value}`);
    if (typeof value !== 'object' || value === null) return this.#spend(value);
    if (depth >= DEPTH) return this.#spend('[too deep]');
    return Array.isArray(value) ? this.#items(value, depth) : this.#members(value, depth);
  }

  #items(items: readonly unknown[], depth: number): unknown[] {
    const kept: unknown[] = [];
    for (const item of items) {
      if (kept.length === BREADTH || this.#left <= 0) {
        kept.push(`[${items.length - kept.length} more]`);
        break;
      }
      kept.push(this.of(item, depth + 1));
    }
    return kept;
  }

  #members(object: object, depth: number): unknown {
    const members = Object.entries(object);
    const isSecretPair = isSecretEntry(object);
    const kept: [string, unknown][] = [];
    for (const [name, value] of members) {
      if (kept.length === BREADTH || this.#left <= 0) {
        kept.push(['…', `[${members.length - kept.length} more]`]);
        break;
      }
      const isSecret =
        (isSecretName(name) && mayBeSecret(name, value)) || (isSecretPair && name === 'value');
      const shownName = truncateText(
        sanitizeText(name.slice(0, LOOKED_AT)),
        name.length,
        NAME_LENGTH,
      );
      this.#spend(shownName);
      kept.push([shownName, isSecret ? this.#spend(REDACTED) : this.of(value, depth + 1)]);
    }
    // `Object.fromEntries` defines members, so `__proto__` becomes an ordinary member.
    return Object.fromEntries(kept);
  }

  #spend<T>(value: T): T {
    this.#left -= Buffer.byteLength(JSON.stringify(value) ?? '') + 1;
    return value;
  }
}

function sanitizeString(text: string, depth: number): string {
  if (text.length <= JSON_LENGTH && /^\s*[[{"]/.test(text) && depth < DEPTH) {
    try {
      const inner = JSON.stringify(new Redaction().of(JSON.parse(text), depth + 1));
      return truncateText(inner, text.length, STRING_LENGTH);
    } catch {
      // Not JSON after all.
    }
  }
  // Encoded text can only be decoded as a whole.
  const isEncoded = !/\s/.test(text.slice(0, LOOKED_AT));
  if (isEncoded && text.length > JSON_LENGTH) return `[${text.length} characters]`;
  const looked = isEncoded ? text : text.slice(0, LOOKED_AT);
  return truncateText(sanitizeText(looked), text.length, STRING_LENGTH);
}

function truncateText(text: string, originalLength: number, length: number): string {
  if (text.length <= length && originalLength <= LOOKED_AT) return text;
  return `${text.slice(0, length)}… [${originalLength} characters]`;
}

/** Excludes token counts and booleans such as "has a password", because they reveal nothing. */
function mayBeSecret(name: string, value: unknown): boolean {
  if (typeof value === 'number') return !/tokens?$/i.test(name);
  return typeof value !== 'boolean' && value !== null && value !== undefined;
}

/** A common form of headers and variables: `{ "name": "Authorization", "value": "…" }`. */
function isSecretEntry(object: object): boolean {
  return ['name', 'key', 'Name', 'Key'].some((member) => {
    const name: unknown = Reflect.get(object, member);
    return typeof name === 'string' && isSecretName(name);
  });
}

const REDACTED = '[redacted]';

const WORDS = [
  'passw(?:or)?d',
  'passphrase',
  'secret',
  'token',
  'api[_-]?key',
  'authorization',
  'cookie',
  'credential',
  'private[_-]?key',
  'access[_-]?key',
  'signature',
  'jwt',
].join('|');

const SECRET_NAME = new RegExp(`${WORDS}|^(?:pwd|pin|auth|bearer)$`, 'i');

/** True if a member or variable with this name probably contains a secret. */
function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/**
 * Patterns that detect a secret by its context, with replacements. Each is linear or bounded,
 * because the text comes from other parties.
 */
const SURROUNDINGS: readonly (readonly [RegExp, string])[] = [
  // The value of a header extends to the end of its line.
  [
    /\b((?:set-|proxy-)?(?:cookie|authorization)\\?["']?\s{0,9}[:=]\s{0,9})[^\r\n]+/gi,
    `$1${REDACTED}`,
  ],
  [
    new RegExp(
      String.raw`([\w-]{0,32}(?:${WORDS})[\w-]{0,32}\\?["']?\s{0,9}[:=]\s{0,9})(?!\[redacted\])` +
        String.raw`(?:\\?"(?:[^"\\]|\\[^"])*\\?"?|'[^']*'?|[^\s"',;&)}\]]+)`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  // RFC 3986: the user information before the last @ of an authority.
  [/\b([a-z][a-z\d+.-]{1,20}:\/\/)[^\s/?#]*@/gi, `$1${REDACTED}@`],
];

const masked = createTextMask(['private-key', 'aws-key', 'token']);

/** Replaces likely secrets in a text, detected by their form or their context. */
function sanitizeText(text: string): string {
  let redacted = masked(text).replace(/\[redacted:(?:private-key|aws-key|token)\]/g, REDACTED);
  for (const [pattern, replacement] of SURROUNDINGS) {
    redacted = redacted.replace(pattern, replacement);
  }
  return redacted;
}

/** A request in the audit. */
interface AuditedRequest {
  readonly type: 'audit.request';
  readonly method: string;
  readonly name?: string | undefined;
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
}

const SECRETS = ['private-key', 'aws-key', 'token'] as const;

const NAMED = createTextMask([...SECRETS, 'email', 'card', 'iban', 'national-id', 'ip']);

/** Keeps IP addresses: in a connection failure, the address identifies the machine. */
const SAID = createTextMask([...SECRETS, 'email', 'card', 'iban', 'national-id']);

/** Maximum characters kept of a name, method or ID. */
const MAX_NAME_LENGTH = 200;

/** Maximum characters kept of a sentence. */
const MAX_SENTENCE_LENGTH = 4_000;

/** Characters to search, so that no match is cut off before it is detected. */
const CHECKED_LENGTH = 2 * MAX_SENTENCE_LENGTH;

/** Maximum weight of cached names in bytes. Most names repeat. */
const MAX_CACHE_WEIGHT = 256 * 1024;

/** ID formats of AWS: UUIDs, the X-Ray header, W3C traceparent. */
const AWS_ID =
  /^(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?:(?:Root|Self)=1-[\da-f]{8}-[\da-f]{24}|Parent=[\da-f]{16}|Sampled=[01?]|Lineage=[\da-f:|]{1,100}|;)+|[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2})$/i;

const known = new LruCache<string>(
  MAX_CACHE_WEIGHT,
  (name, kept) => 2 * (name.length + kept.length) + 50,
);

/**
 * Removes personal data and secrets from values chosen by a server or client: names, methods,
 * header IDs, and sentences that quote them. A session ID with such data is omitted, because a
 * masked ID would be unusable.
 */
export function sanitizeRecord<R extends JournalRecord | AuditedRequest>(record: R): R {
  switch (record.type) {
    case 'call':
    case 'audit.request': {
      const { method, name, requestId, traceId } = record;
      return {
        ...record,
        method: sanitizeName(method),
        ...(name !== undefined && { name: sanitizeName(name) }),
        ...(requestId !== undefined && { requestId: sanitizeId(requestId) }),
        ...(traceId !== undefined && { traceId: sanitizeId(traceId) }),
      };
    }
    case 'error':
      return { ...record, message: sanitizeSentence(record.message) };
    case 'session.replayed':
    case 'session.lost':
    case 'session.stop-failed':
      return { ...record, reason: sanitizeSentence(record.reason) };
    case 'session.identified': {
      const { returnedId, mcpSessionId } = record;
      return {
        ...record,
        returnedId: omitSensitiveId(returnedId),
        mcpSessionId: omitSensitiveId(mcpSessionId),
      };
    }
    default:
      return record;
  }
}

function sanitizeName(name: string): string {
  if (name.length > CHECKED_LENGTH) return sanitizeName(name.slice(0, CHECKED_LENGTH));
  const before = known.get(name);
  if (before !== undefined) return before;
  const kept = sanitizeText(NAMED(name)).slice(0, MAX_NAME_LENGTH);
  known.set(name, kept);
  return kept;
}

function sanitizeId(id: string): string {
  return AWS_ID.test(id) ? id : sanitizeName(id);
}

function omitSensitiveId(id: string | undefined): string | undefined {
  return id === undefined || sanitizeId(id) === id ? id : undefined;
}

function sanitizeSentence(sentence: string): string {
  return sanitizeText(SAID(sentence.slice(0, CHECKED_LENGTH))).slice(0, MAX_SENTENCE_LENGTH);
}
