import type { CallOutcome } from '../../journal/records.ts';
import type { Decided } from '../../relay/peer.ts';

/**
 * Records of the audit, which has files of its own in the journal's format. `hash` is always the
 * last member: SHA-256 in hex over the hash of the record before and the line up to it.
 */
export type AuditRecord = AuditOpened | AuditPruned | AuditedRequest;

interface OfAudit {
  readonly at: string;
  readonly hash: string;
}

/** The first record of a file: what comes before it. Its hash covers the head of the file, too. */
export interface AuditOpened extends OfAudit {
  readonly type: 'audit.opened';
  /** The part before of the same run, or what another run had written last. */
  readonly follows?: { readonly file: string; readonly hash: string } | undefined;
}

/** A file went, for there was more than is kept. */
export interface AuditPruned extends OfAudit {
  readonly type: 'audit.pruned';
  readonly file: string;
  /** The last one of the file. */
  readonly last: string;
}

/** Ids as they stand in tokens; each list has the first of them, should there be very many. */
export interface AuditedTokens {
  readonly issued: readonly string[];
  readonly restored: readonly string[];
}

/** A request, before it goes on (`begun`, only where an audit is required) and once it was answered. */
export interface AuditedRequest extends OfAudit {
  readonly type: 'audit.request';
  readonly phase: 'begun' | 'ended';
  /** The same in both phases. */
  readonly id: string;
  readonly from: 'client' | 'server';
  readonly method: string;
  /** Name of the tool or prompt, or URI of the resource, without personal data. */
  readonly name?: string | undefined;
  readonly caller?: string | undefined;
  readonly runtime: string;
  readonly session?: string | undefined;
  /** HMAC-SHA-256 in hex of the arguments as they came, by the salt in the audit's folder. */
  readonly argumentsHash?: string | undefined;
  readonly decision?: Decided | undefined;
  /** How many values of each kind were hidden. */
  readonly redactions?: Readonly<Record<string, number>> | undefined;
  /** Ids of the redaction tokens that the request and its answer put in and took back. */
  readonly tokens?: AuditedTokens | undefined;
  readonly milliseconds?: number | undefined;
  readonly attempts?: number | undefined;
  /** The HTTP status of the last attempt, where it was sent and answered. */
  readonly upstreamStatus?: number | undefined;
  readonly outcome?: CallOutcome | undefined;
  /** The JSON-RPC code of an error. */
  readonly code?: number | undefined;
  /** AWS's ids of the last attempt. */
  readonly requestId?: string | undefined;
  readonly traceId?: string | undefined;
}
