import { createHmac, randomUUID } from 'node:crypto';
import { AgentCoreError } from '../../error.ts';
import { outcomeOf } from '../../journal/call-recorder.ts';
import { spanAt } from '../../mcp/json-spans.ts';
import type { Notification, Request, Response } from '../../mcp/message.ts';
import type { Interceptor, Passage } from '../../relay/interceptors.ts';
import { Cancelled, type Peer, type Trail } from '../../relay/peer.ts';
import type { Audit, AuditEntry } from './audit.ts';

export interface AuditInterceptorOptions {
  /** Whose requests it puts on record. */
  readonly from: 'client' | 'server';
  readonly audit: Pick<Audit, 'record'>;
  /** Whether nothing may happen that cannot be put on record. Asked anew for every request. */
  readonly isRequired: () => boolean;
  readonly runtime: string;
  /** Who calls, once that is known. */
  readonly caller: () => string | undefined;
  readonly salt: Buffer;
  /** A name as it may be kept, without personal data (`nameMask`). */
  readonly redactedName: (name: string) => Promise<string>;
}

/** Characters of a name that are kept. */
const LONGEST_NAME = 200;

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
    const at = new Date().toISOString();
    const began = performance.now();
    const entry = await this.#entry(request);
    if (isRequired) await this.#required({ ...entry, phase: 'begun', at });
    const trail: Trail = { attempts: 0 };
    const end = (outcome: AuditEntry['outcome'], code: unknown, upstreamStatus?: number) => {
      const { attempts, session, requestId, traceId, redactions, decision } = trail;
      const record: AuditEntry = {
        ...entry,
        // Known by now, as a rule, where the request came right at the start.
        caller: this.#options.caller(),
        phase: 'ended',
        at,
        session,
        decision,
        redactions,
        milliseconds: Math.round((performance.now() - began) * 10) / 10,
        attempts,
        upstreamStatus,
        outcome,
        ...(typeof code === 'number' && { code }),
        requestId,
        traceId,
      };
      const ended = this.#options.audit.record(record, isRequired);
      // What was done stays done; the next request finds out, and the user has been told.
      const quiet = ended.catch(() => undefined);
      return isRequired ? quiet : undefined;
    };
    try {
      const response = await next.request(request, { ...passage, trail });
      const status = trail.attempts > 0 ? (response.httpStatus ?? 200) : undefined;
      await end(outcomeOf(response), response.error?.code, status);
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

  async #entry({ method, params, bytes }: Request) {
    const { from, salt, runtime, caller, redactedName } = this.#options;
    const name = params?.name ?? params?.uri;
    const span = spanAt(bytes, ['params', 'arguments']) ?? spanAt(bytes, ['params']);
    const hash = span && createHmac('sha256', salt).update(bytes.subarray(span.start, span.end));
    return {
      id: randomUUID(),
      from,
      method: (await redactedName(method)).slice(0, LONGEST_NAME),
      ...(typeof name === 'string' && {
        name: (await redactedName(name)).slice(0, LONGEST_NAME),
      }),
      caller: caller(),
      runtime,
      ...(hash && { argumentsHash: hash.digest('hex') }),
    };
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
