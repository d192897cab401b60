import { createHmac, randomUUID } from 'node:crypto';
import { AgentCoreError } from '../../error.ts';
import { outcomeOf } from '../../journal/call-recorder.ts';
import { spanAt } from '../../mcp/json-spans.ts';
import type { Notification, Request, Response } from '../../mcp/message.ts';
import type { Interceptor, Passage } from '../../relay/interceptors.ts';
import { Cancelled, type Peer, type Trail } from '../../relay/peer.ts';
import type { Audit, AuditEntry } from './audit.ts';
import type { AuditedTokens } from './audit-records.ts';

export interface AuditInterceptorOptions {
  /** The sender whose requests are recorded. */
  readonly from: 'client' | 'server';
  readonly audit: Pick<Audit, 'record' | 'note'>;
  /** True if a request must be denied when it cannot be recorded. Called for every request. */
  readonly isRequired: () => boolean;
  readonly runtime: string;
  /** The ARN of the caller, if known yet. */
  readonly caller: () => string | undefined;
  readonly salt: Buffer;
  /** Removes personal data from a name (`nameMask`). */
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
  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    const { from } = this.#options;
    if (request.method === 'ping' || passage.from !== from) return next.request(request, passage);
    const isRequired = this.#options.isRequired();
    const began = performance.now();
    const entry = this.#beginning(request, isRequired);
    if (isRequired) await this.#required({ ...(await entry()), phase: 'begun' });
    const trail: Trail = passage.trail ?? { attempts: 0 };
    const end = (outcome: AuditEntry['outcome'], code: unknown, upstreamStatus?: number) => {
      const milliseconds = Math.round((performance.now() - began) * 10) / 10;
      const ended = async (): Promise<AuditEntry> => {
        const { attempts, session, requestId, traceId, redactions, tokens, decision } = trail;
        return {
          ...(await entry()),
          // Usually known by now, even for a request right after the start.
          caller: this.#options.caller(),
          phase: 'ended',
          session,
          decision,
          redactions,
          ...(tokens && { tokens: listed(tokens) }),
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
      const response = await next.request(request, { ...passage, trail });
      const status = trail.attempts > 0 ? (response.httpStatus ?? 200) : undefined;
      const ended = end(outcomeOf(response), response.error?.code, status);
      if (ended) await ended;
      return response;
    } catch (thrown) {
      const data = thrown instanceof AgentCoreError ? thrown.data : undefined;
      const status = typeof data?.status === 'number' ? data.status : undefined;
      await end(thrown instanceof Cancelled ? 'cancelled' : 'failed', data?.jsonRpcCode, status);
      throw thrown;
    }
  }

  notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    return next.notify(notification, passage);
  }

  /**
   * Prepares the first part of a record. Its creation is delayed, because the request should not
   * wait. If this would keep a large request in memory, it is created at once.
   */
  #beginning(request: Request, isNow: boolean): () => Promise<Beginning> {
    const at = new Date();
    if (isNow || request.bytes.length > LARGE) return known(this.#entry(request, at));
    return () => this.#entry(request, at);
  }

  async #entry({ method, params, bytes }: Request, at: Date): Promise<Beginning> {
    const { from, salt, runtime, caller } = this.#options;
    const name = params?.name ?? params?.uri;
    const span = spanAt(bytes, ['params', 'arguments']) ?? spanAt(bytes, ['params']);
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

function listed({ issued, restored }: NonNullable<Trail['tokens']>): AuditedTokens {
  return { issued: firstOf(issued), restored: firstOf(restored) };
}

function firstOf(ids: ReadonlySet<string>): readonly string[] {
  return [...ids].slice(0, MAX_TOKENS);
}

/** A separate function, so that the closure does not keep the request in memory. */
function known(entry: Promise<Beginning>): () => Promise<Beginning> {
  return () => entry;
}
