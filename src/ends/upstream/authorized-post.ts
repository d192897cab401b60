import type { Agent } from 'node:http';
import { type Authorizer, canRenewalHelp } from '../../aws/authorization/authorizer.ts';
import { type AuthProbeResult, probeAuthMethod } from '../../aws/authorization/challenge.ts';
import { ConnectionThrottle } from '../../aws/connection-pace.ts';
import type { Network } from '../../aws/network.ts';
import { type HttpReply, post, type RequestTarget, toRequestTarget } from '../../aws/post.ts';
import type { Timeouts } from '../../aws/silence-clock.ts';
import { AgentCoreError } from '../../error.ts';
import type { OutgoingMessage } from './upstream.ts';

/**
 * Milliseconds. Must exceed the maximum duration of a silent stream: AgentCore's limit is one hour.
 */
const STREAM_LIMIT = 61 * 60 * 1000;

/** Milliseconds to cache the server's authorization method. */
const AUTH_PROBE_TTL_MS = 60_000;

/** Milliseconds for a rejected call to wait for the authorization method. */
const AUTH_PROBE_TIMEOUT_MS = 2_000;

export interface HttpClientOptions {
  readonly url: URL;
  readonly authorizer: Authorizer;
  readonly agent: Agent;
  readonly network: Network;
  readonly timeouts: Timeouts;
}

/** Sends authorized POST requests to one URL. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #target: RequestTarget;
  readonly #pace = new ConnectionThrottle();
  #wanted:
    | { readonly method: Promise<AuthProbeResult['method']>; readonly until: number }
    | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#target = toRequestTarget(options.url);
  }

  get method(): Authorizer['method'] {
    return this.#options.authorizer.method;
  }

  /**
   * The authorization method requested by the server from an unauthorized caller. Never rejects.
   */
  wanted(): Promise<AuthProbeResult['method']> {
    const now = performance.now();
    if (this.#wanted && this.#wanted.until > now) return this.#wanted.method;
    const { url, network } = this.#options;
    const method = probeAuthMethod(url, network, AbortSignal.timeout(AUTH_PROBE_TIMEOUT_MS)).then(
      (wanted) => wanted.method,
      () => 'unknown' as const,
    );
    this.#wanted = { method, until: now + AUTH_PROBE_TTL_MS };
    return method;
  }

  /**
   * Resolves with the head of the reply, whatever its status. Throws like {@link post} and the
   * authorizer.
   */
  async send(
    { session, headers, body, signal, onSend, longLived, urgent }: OutgoingMessage,
    more: Readonly<Record<string, string>> = {},
  ): Promise<HttpReply> {
    const { authorizer, agent, timeouts } = this.#options;
    const target = this.#target;
    const authorized = await authorizer.sign({
      target,
      body,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...more,
        ...headers,
      },
    });
    // An aborted message must not put a session on record.
    signal.throwIfAborted();
    await session.onRecord();
    signal.throwIfAborted();
    const reply = await post({
      target,
      headers: authorized,
      body,
      agent,
      pace: this.#pace,
      signal,
      urgent,
      onSend,
      timeouts: longLived
        ? {
            ...timeouts,
            read: Math.max(timeouts.read, STREAM_LIMIT),
            total: Number.POSITIVE_INFINITY,
          }
        : timeouts,
    });
    if (reply.status === 401 || reply.status === 403) authorizer.learnTime?.(reply.headers.date);
    return reply;
  }

  /** See {@link Upstream.renewAfter}. */
  async renewAfter(thrown: unknown, since: number): Promise<boolean> {
    const { method, renew } = this.#options.authorizer;
    return isAuthFailure(thrown, method) && renew(since);
  }
}

/** True if the error is a rejection of the caller that a renewal may resolve. */
function isAuthFailure(thrown: unknown, method: Authorizer['method']): boolean {
  if (!(thrown instanceof AgentCoreError)) return false;
  const { name, status, wants, source } = thrown.data ?? {};
  if (source === 'server') return false;
  if (wants !== undefined && wants !== method) return false;
  return canRenewalHelp(method, { name, status });
}
