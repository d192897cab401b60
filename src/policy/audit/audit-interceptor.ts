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
  /** Whose requests it puts on record. */
  readonly from: 'client' | 'server';
  readonly audit: Pick<Audit, 'record' | 'note'>;
  /** Whether nothing may happen that cannot be put on record. Asked anew for every request. */
  readonly isRequired: () => boolean;
  readonly runtime: string;
  /** Who calls, once that is known. */
  readonly caller: () => string | undefined;
  readonly salt: Buffer;
  /** A name as it may be kept, without personal data (`nameMask`). */
  readonly redactedName: (name: string) => Promise<string>;
}

type Beginning = Omit<AuditEntry, 'phase'>;

/** Ids of redaction tokens of each list. */
const MAX_TOKENS = 1_000;
/** Bytes of a request above which it is not kept until its record is written. */
const LARGE = 4_096;

/**
 * Puts each request of one side on record, with what was decided and hidden on its way. It is the
 * first on that side's way, so that it sees arguments as they came, answers as they go out, and what
 * goes no further.
 */
export class AuditInterceptor implements Interceptor {
  readonly #options: AuditInterceptorOptions;

  constructor(options: AuditInterceptorOptions) {
    this.#options = options;
  }

  /** @throws {AgentCoreError} `config` where an audit is required and cannot be written. */
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
          // Known by now, as a rule, where the request came right at the start.
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
      // What was done stays done; the next request finds out, and the user has been told.
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
   * What is known of a request before it goes on; made when it is asked for, so that the request
   * does not wait for it, unless that would keep a large request in memory.
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

  /** A name of which nobody can tell what is in it is kept for itself. */
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

/** Apart from where the request is, which it would keep as well. */
function known(entry: Promise<Beginning>): () => Promise<Beginning> {
  return () => entry;
}
