import { Recent } from '../policy/redaction/recent.ts';
import { textMask } from '../policy/redaction/text-mask.ts';
import type { JournalRecord } from './records.ts';
import { redactedText } from './redacted-text.ts';

/** A request in the audit. */
interface AuditedRequest {
  readonly type: 'audit.request';
  readonly method: string;
  readonly name?: string | undefined;
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
}

const SECRETS = ['private-key', 'aws-key', 'token'] as const;
const NAMED = textMask([...SECRETS, 'email', 'card', 'iban', 'national-id', 'ip']);
/** Keeps IP addresses: in a connection failure, the address identifies the machine. */
const SAID = textMask([...SECRETS, 'email', 'card', 'iban', 'national-id']);

/** Maximum characters kept of a name, method or ID. */
const LONGEST_NAME = 200;
/** Maximum characters kept of a sentence. */
const LONGEST_SENTENCE = 4_000;
/** Characters to search, so that no match is cut off before it is detected. */
const LOOKED_AT = 2 * LONGEST_SENTENCE;
/** Maximum weight of cached names in bytes. Most names repeat. */
const MOST_KNOWN = 256 * 1024;

/** ID formats of AWS: UUIDs, the X-Ray header, W3C traceparent. */
const AWS_ID =
  /^(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|(?:(?:Root|Self)=1-[\da-f]{8}-[\da-f]{24}|Parent=[\da-f]{16}|Sampled=[01?]|Lineage=[\da-f:|]{1,100}|;)+|[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2})$/i;

const known = new Recent<string>(MOST_KNOWN, (name, kept) => 2 * (name.length + kept.length) + 50);

/**
 * Removes personal data and secrets from values chosen by a server or client: names, methods,
 * header IDs, and sentences that quote them. A session ID with such data is omitted, because a
 * masked ID would be unusable.
 */
export function sanitized<R extends JournalRecord | AuditedRequest>(record: R): R {
  switch (record.type) {
    case 'call':
    case 'audit.request': {
      const { method, name, requestId, traceId } = record;
      return {
        ...record,
        method: nameOf(method),
        ...(name !== undefined && { name: nameOf(name) }),
        ...(requestId !== undefined && { requestId: idOf(requestId) }),
        ...(traceId !== undefined && { traceId: idOf(traceId) }),
      };
    }
    case 'error':
      return { ...record, message: sentenceOf(record.message) };
    case 'session.replayed':
    case 'session.lost':
    case 'session.stop-failed':
      return { ...record, reason: sentenceOf(record.reason) };
    case 'session.identified': {
      const { returnedId, mcpSessionId } = record;
      return { ...record, returnedId: usableId(returnedId), mcpSessionId: usableId(mcpSessionId) };
    }
    default:
      return record;
  }
}

function nameOf(name: string): string {
  if (name.length > LOOKED_AT) return nameOf(name.slice(0, LOOKED_AT));
  const before = known.get(name);
  if (before !== undefined) return before;
  const kept = redactedText(NAMED(name)).slice(0, LONGEST_NAME);
  known.set(name, kept);
  return kept;
}

function idOf(id: string): string {
  return AWS_ID.test(id) ? id : nameOf(id);
}

function usableId(id: string | undefined): string | undefined {
  return id === undefined || idOf(id) === id ? id : undefined;
}

function sentenceOf(sentence: string): string {
  return redactedText(SAID(sentence.slice(0, LOOKED_AT))).slice(0, LONGEST_SENTENCE);
}
