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
  type Peer,
  type RequestContext,
} from '../relay/peer.ts';
import type { AuditEntry, AuditedTokens } from '../state/audit/records.ts';
import { getCallOutcome } from '../state/journal/records.ts';
import type { Audit } from '../state/store.ts';
import { Redactor } from './redaction/redactor.ts';

interface AuditInterceptorOptions {
  /** The side of the conversation whose requests are recorded. */
  readonly from: 'client' | 'server';
  readonly audit: Audit;
  /** True if a request without an audit record must be denied. Called for every request. */
  readonly isRequired: () => boolean;
  readonly runtime: string;
  /** Returns the ARN of the caller; `undefined` while it is not known. */
  readonly caller: () => string | undefined;
  readonly salt: Buffer;
  /** Removes personal data from a name (`createNameMask`). */
  readonly redactedName: (name: string) => Promise<string>;
}

/** The part of a record that does not depend on the outcome. */
type Beginning = Omit<AuditEntry, 'phase'>;

/** Maximum redaction token ids in each list of a record. */
const MAX_TOKENS = 1_000;

/** Size of a large request in bytes. It is not kept in memory until its record is written. */
const LARGE = 4_096;

/**
 * Records each request of one side in the audit, with its decision and redactions. It is the first
 * interceptor for that side, so it gets the original arguments and the final responses. Requests
 * denied by a later interceptor are recorded too.
 */
export class AuditInterceptor implements Interceptor {
  readonly #options: AuditInterceptorOptions;

  constructor(options: AuditInterceptorOptions) {
    this.#options = options;
  }

  /** @throws {AgentCoreError} `config` if a required record cannot be written. */
  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    const direction = this.#options.from === 'client' ? 'to-server' : 'to-client';
    if (request.method === 'ping' || context.direction !== direction) {
      return next.request(request, context);
    }
    const isRequired = this.#options.isRequired();
    const began = performance.now();
    const entry = this.#beginning(request, isRequired);
    if (isRequired) await this.#required({ ...(await entry()), phase: 'begun' });
    const { call } = context;
    const end = (outcome: AuditEntry['outcome'], code: unknown, upstreamStatus?: number) => {
      const milliseconds = Math.round((performance.now() - began) * 10) / 10;
      const ended = async (): Promise<AuditEntry> => {
        const { attempts, session, requestId, traceId, redactions, tokens, decision } = call;
        return {
          ...(await entry()),
          // Read again: for a request right after the start, it is usually known by now.
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
      // Ignore a failure: the call is complete. The log warns the user, and the next request fails.
      return ended()
        .then((record) => this.#options.audit.record(record))
        .catch(() => undefined);
    };
    try {
      const response = await next.request(request, context);
      const status = call.attempts > 0 ? (response.httpStatus ?? 200) : undefined;
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

  notify(notification: JsonRpcNotification, context: RequestContext, next: Peer): Promise<void> {
    return next.notify(notification, context);
  }

  /**
   * Returns a function for the first part of a record. The part is created later, so the request
   * does not wait. If the request is large, it is created at once, to free the memory.
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

  /** Masks personal data in a name. If the check fails, replaces the whole name. */
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

/** A separate function: its closure does not keep the request in memory. */
function createEntryGetter(entry: Promise<Beginning>): () => Promise<Beginning> {
  return () => entry;
}

/** Maximum weight of cached names in bytes. */
const MAX_CACHE_WEIGHT = 256 * 1024;

/**
 * Creates a function that masks personal data and secrets in a name, for the audit. It ignores the
 * modes and directions of the policy's redaction, because a URI may always contain such data.
 *
 * @param rules Returns the rules of the policies in force, for their patterns and countries. Must
 *   return the same list until they change.
 * @throws {AgentCoreError} `config` if a rule is invalid. The returned function may throw it too.
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
  // Phone numbers are masked only if a policy enables them, because their library is large.
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
