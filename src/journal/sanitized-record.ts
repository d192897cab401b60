import { LruCache } from '../policy/redaction/recent.ts';
import { createTextMask } from '../policy/redaction/text-mask.ts';
import type { JournalRecord } from './records.ts';
import { sanitizeText } from './redacted-text.ts';

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
