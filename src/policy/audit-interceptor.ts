import { createHmac, randomUUID } from 'node:crypto';
import { LruCache } from '../base/cache.ts';
import { AgentCoreError } from '../base/errors.ts';
import { findSpanAt } from '../mcp/json-spans.ts';
import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';
import type { RedactionRules } from '../redaction/rules.ts';
import { MemoryVault } from '../redaction/tokens.ts';
import {
  type CallInfo,
  CancelledError,
  type Interceptor,
  type InterceptorContext,
  type Peer,
} from '../relay/peer.ts';
import type { AuditEntry, AuditLog } from '../state/audit/audit-log.ts';
import type { AuditedTokens } from '../state/audit/records.ts';
import { getCallOutcome } from '../state/journal/records.ts';
import { Redactor } from './redaction/redactor.ts';

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
  async request(
    request: JsonRpcRequest,
    context: InterceptorContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
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

  notify(
    notification: JsonRpcNotification,
    context: InterceptorContext,
    next: Peer,
  ): Promise<void> {
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

/** Maximum weight of cached names in bytes. Most names repeat. */
const MAX_CACHE_WEIGHT = 256 * 1024;

/**
 * Removes personal data and secrets from the names in the audit, regardless of the policy's
 * redaction settings. A URI may contain such data.
 *
 * @param rules Returns the rules of the policies in force, for their own patterns. Must return the
 *   same list until they change.
 * @throws {AgentCoreError} `config` if a rule is invalid. The returned function throws it as well.
 */
export async function createNameMask(
  rules: () => readonly RedactionRules[] = () => [],
): Promise<(name: string) => Promise<string>> {
  let of = rules();
  let mask = await maskFor(of);
  return async (name) => {
    const now = rules();
    if (now !== of) {
      mask = await maskFor(now);
      of = now;
    }
    return mask(name);
  };
}

async function maskFor(
  rules: readonly RedactionRules[],
): Promise<(name: string) => Promise<string>> {
  // Excludes phone numbers, because their library is large. If a policy enables them, it is loaded
  // anyway.
  const own = rules.map(
    ({ kinds, patterns, countries }): RedactionRules => ({
      mode: 'mask',
      ...(kinds && { kinds }),
      ...(patterns && { patterns: patterns.map((pattern) => ({ ...pattern, mode: 'mask' })) }),
      ...(countries && { countries }),
    }),
  );
  const redactor = await Redactor.create({
    rules: [{ mode: 'mask', kinds: { phone: false } }, ...own],
    vault: new MemoryVault(),
    salt: Buffer.alloc(32),
  });
  const known = new LruCache<string>(MAX_CACHE_WEIGHT, (name) => 2 * name.length + 50);
  return async (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const { json } = await redactor.toServer(JSON.stringify({ params: name }), {});
    const { params } = JSON.parse(json) as { params: string };
    known.set(name, params);
    return params;
  };
}
