import type { CallOutcome } from '../journal/records.ts';

/**
 * Records of the audit, in separate files with the journal's format. `hash` is always the last
 * member: SHA-256 in hex of the previous hash and the rest of the line.
 */
export type AuditRecord = AuditOpened | AuditPruned | AuditedRequest;

interface AuditRecordBase {
  readonly at: string;
  readonly hash: string;
}

/** The first record of a file, with a link to its predecessor. Its hash also covers the head. */
export interface AuditOpened extends AuditRecordBase {
  readonly type: 'audit.opened';
  /** The previous file of the same run, or the latest record of another run. */
  readonly follows?: { readonly file: string; readonly hash: string } | undefined;
}

/** A file was removed because of the size limit. */
export interface AuditPruned extends AuditRecordBase {
  readonly type: 'audit.pruned';
  readonly file: string;
  /** The hash of the file's last record. */
  readonly last: string;
}

/** IDs of redaction tokens. Each list has a maximum length. */
export interface AuditedTokens {
  readonly issued: readonly string[];
  readonly restored: readonly string[];
}

/** A policy decision. */
interface AuditedDecision {
  /** `allow`, `deny`, or the outcome of an approval. */
  readonly effect: string;
  /** The deciding rule, as a JSON pointer into its document. */
  readonly rule?: string | undefined;
  /** Path of the document. */
  readonly document?: string | undefined;
}

/**
 * A request: `begun` before it is forwarded (only if an audit is required), `ended` after the
 * response.
 */
export interface AuditedRequest extends AuditRecordBase {
  readonly type: 'audit.request';
  readonly phase: 'begun' | 'ended';
  /** Equal in both phases. */
  readonly id: string;
  readonly from: 'client' | 'server';
  readonly method: string;
  /** Name of the tool or prompt, or URI of the resource, without personal data. */
  readonly name?: string | undefined;
  readonly caller?: string | undefined;
  readonly runtime: string;
  readonly session?: string | undefined;
  /** HMAC-SHA-256 in hex of the original arguments, with the salt in the audit folder. */
  readonly argumentsHash?: string | undefined;
  readonly decision?: AuditedDecision | undefined;
  /** Number of redacted values by kind. */
  readonly redactions?: Readonly<Record<string, number>> | undefined;
  /** IDs of redaction tokens issued or restored for the request and its response. */
  readonly tokens?: AuditedTokens | undefined;
  readonly milliseconds?: number | undefined;
  readonly attempts?: number | undefined;
  /** The HTTP status of the last attempt, if there was a response. */
  readonly upstreamStatus?: number | undefined;
  readonly outcome?: CallOutcome | undefined;
  /** The JSON-RPC error code. */
  readonly code?: number | undefined;
  /** IDs from AWS for the last attempt. */
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
}

/** The data of a request to record. */
export type AuditEntry = Omit<AuditedRequest, 'type' | 'at' | 'hash'> & { readonly at?: string };
