import { createHmac, randomUUID } from 'node:crypto';
import { AgentCoreError } from '../../error.ts';
import { getCallOutcome } from '../../journal/call-recorder.ts';
import { findSpanAt } from '../../mcp/json-spans.ts';
import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../../mcp/message.ts';
import type { Interceptor, Passage } from '../../relay/interceptors.ts';
import { type CallInfo, CancelledError, type Peer } from '../../relay/peer.ts';
import type { AuditEntry, AuditLog } from './audit.ts';
import type { AuditedTokens } from './audit-records.ts';

interface AuditInterceptorOptions {
  /** The sender whose requests are recorded. */
  readonly from: 'client' | 'server';
  readonly audit: Pick<AuditLog, 'record' | 'note'>;
  /** True if a request must be denied when it cannot be recorded. Called for every request. */
  readonly isRequired: () => boolean;
  readonly runtime: string;
  /** The ARN of the caller, if known yet. */
  readonly caller: () => string | undefined;
  readonly salt: Buffer;
  /** Removes personal data from a name (`createNameMask`). */
  readonly redactedName: (name: string) => Promise<string>;
}

type Beginning = Omit<AuditEntry, 'phase'>;

/** Maximum redaction token IDs in each list. */
const MAX_TOKENS = 1_000;

/** Size in bytes. A larger request is not kept in memory until its record is written. */
const LARGE = 4_096;

/**
 * Records each request of one side with its decision and redactions. It is the first interceptor on
 * that side. It sees original arguments, final responses, and also requests denied by a later
 * interceptor.
 */
export class AuditInterceptor implements Interceptor {
  readonly #options: AuditInterceptorOptions;

  constructor(options: AuditInterceptorOptions) {
    this.#options = options;
  }

  /** @throws {AgentCoreError} `config` if an audit is required and cannot be written. */
  async request(request: JsonRpcRequest, context: Passage, next: Peer): Promise<JsonRpcResponse> {
    const { from } = this.#options;
    if (request.method === 'ping' || context.from !== from) return next.request(request, context);
    const isRequired = this.#options.isRequired();
    const began = performance.now();
    const entry = this.#beginning(request, isRequired);
    if (isRequired) await this.#required({ ...(await entry()), phase: 'begun' });
    const callInfo: CallInfo = context.call ?? { attempts: 0 };
    const end = (outcome: AuditEntry['outcome'], code: unknown, upstreamStatus?: number) => {
      const milliseconds = Math.round((performance.now() - began) * 10) / 10;
      const ended = async (): Promise<AuditEntry> => {
        const { attempts, session, requestId, traceId, redactions, tokens, decision } = callInfo;
        return {
          ...(await entry()),
          // Usually known by now, even for a request right after the start.
          caller: this.#options.caller(),
          phase: 'ended',
          session,
          decision,
          redactions,
          ...(tokens && { tokens: toAuditedTokens(tokens) }),
          milliseconds,
          attempts,
          upstreamStatus,
          outcome,
          ...(typeof code === 'number' && { code }),
          requestId,
          traceId,
        };
      };
      if (!isRequired) return this.#options.audit.note(ended);
      // Ignore a failure: the call is complete. The user is notified, and the next request fails.
      return ended()
        .then((record) => this.#options.audit.record(record))
        .catch(() => undefined);
    };
    try {
      const response = await next.request(request, { ...context, call: callInfo });
      const status = callInfo.attempts > 0 ? (response.httpStatus ?? 200) : undefined;
      const ended = end(getCallOutcome(response), response.error?.code, status);
      if (ended) await ended;
      return response;
    } catch (thrown) {
      const data = thrown instanceof AgentCoreError ? thrown.data : undefined;
      const status = typeof data?.status === 'number' ? data.status : undefined;
      await end(
        thrown instanceof CancelledError ? 'cancelled' : 'failed',
        data?.jsonRpcCode,
        status,
      );
      throw thrown;
    }
  }

  notify(notification: JsonRpcNotification, context: Passage, next: Peer): Promise<void> {
    return next.notify(notification, context);
  }

  /**
   * Prepares the first part of a record. Its creation is delayed, because the request should not
   * wait. If this would keep a large request in memory, it is created at once.
   */
  #beginning(request: JsonRpcRequest, isNow: boolean): () => Promise<Beginning> {
    const at = new Date();
    if (isNow || request.bytes.length > LARGE) return createEntryGetter(this.#entry(request, at));
    return () => this.#entry(request, at);
  }

  async #entry({ method, params, bytes }: JsonRpcRequest, at: Date): Promise<Beginning> {
    const { from, salt, runtime, caller } = this.#options;
    const name = params?.name ?? params?.uri;
    const span = findSpanAt(bytes, ['params', 'arguments']) ?? findSpanAt(bytes, ['params']);
    const hash = span && createHmac('sha256', salt).update(bytes.subarray(span.start, span.end));
    return {
      id: randomUUID(),
      at: at.toISOString(),
      from,
      method: await this.#named(method),
      ...(typeof name === 'string' && { name: await this.#named(name) }),
      caller: caller(),
      runtime,
      ...(hash && { argumentsHash: hash.digest('hex') }),
    };
  }

  /** Replaces a name entirely if it cannot be checked for personal data. */
  #named(name: string): Promise<string> {
    return this.#options.redactedName(name).catch(() => '[redacted]');
  }

  async #required(entry: AuditEntry): Promise<void> {
    try {
      await this.#options.audit.record(entry);
    } catch (thrown) {
      throw new AgentCoreError(
        'config',
        `Refused, because the policy requires an audit and it cannot be written. ${thrown instanceof Error ? thrown.message : ''}`,
        { cause: thrown },
      );
    }
  }
}

function toAuditedTokens({ issued, restored }: NonNullable<CallInfo['tokens']>): AuditedTokens {
  return { issued: limitTokenIds(issued), restored: limitTokenIds(restored) };
}

function limitTokenIds(ids: ReadonlySet<string>): readonly string[] {
  return [...ids].slice(0, MAX_TOKENS);
}

/** A separate function, so that the closure does not keep the request in memory. */
function createEntryGetter(entry: Promise<Beginning>): () => Promise<Beginning> {
  return () => entry;
}
