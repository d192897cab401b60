import type { Agent } from 'node:http';
import { type Authorizer, canRenewalHelp } from '../../aws/authorization/authorizer.ts';
import { type Wanted, wantedBy } from '../../aws/authorization/challenge.ts';
import { ConnectionPace } from '../../aws/connection-pace.ts';
import type { Network } from '../../aws/network.ts';
import { post, type Reply, type Target, targetOf } from '../../aws/post.ts';
import type { Timeouts } from '../../aws/silence-clock.ts';
import { AgentCoreError } from '../../error.ts';
import type { Invocation } from './upstream.ts';

/**
 * Milliseconds. Must exceed the maximum duration of a silent stream: AgentCore's limit is one hour.
 */
const STREAM_LIMIT = 61 * 60 * 1000;
/** Milliseconds to cache the server's authorization method. */
const WANTED_FOR = 60_000;
/** Milliseconds for a rejected call to wait for the authorization method. */
const ASK_WITHIN = 2_000;

export interface AuthorizedPostOptions {
  readonly url: URL;
  readonly authorizer: Authorizer;
  readonly agent: Agent;
  readonly network: Network;
  readonly timeouts: Timeouts;
}

/** Sends authorized POST requests to one URL. */
export class AuthorizedPost {
  readonly #options: AuthorizedPostOptions;
  readonly #target: Target;
  readonly #pace = new ConnectionPace();
  #wanted: { readonly method: Promise<Wanted['method']>; readonly until: number } | undefined;

  constructor(options: AuthorizedPostOptions) {
    this.#options = options;
    this.#target = targetOf(options.url);
  }

  get method(): Authorizer['method'] {
    return this.#options.authorizer.method;
  }

  /**
   * The authorization method requested by the server from an unauthorized caller. Never rejects.
   */
  wanted(): Promise<Wanted['method']> {
    const now = performance.now();
    if (this.#wanted && this.#wanted.until > now) return this.#wanted.method;
    const { url, network } = this.#options;
    const method = wantedBy(url, network, AbortSignal.timeout(ASK_WITHIN)).then(
      (wanted) => wanted.method,
      () => 'unknown' as const,
    );
    this.#wanted = { method, until: now + WANTED_FOR };
    return method;
  }

  /**
   * Resolves with the head of the reply, whatever its status. Throws like {@link post} and the
   * authorizer.
   */
  async send(
    { session, headers, body, signal, onSend, longLived, urgent }: Invocation,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
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
    return isOfCaller(thrown, method) && renew(since);
  }
}

/** True if the error is a rejection of the caller that a renewal may resolve. */
function isOfCaller(thrown: unknown, method: Authorizer['method']): boolean {
  if (!(thrown instanceof AgentCoreError)) return false;
  const { name, status, wants, source } = thrown.data ?? {};
  if (source === 'server') return false;
  if (wants !== undefined && wants !== method) return false;
  return canRenewalHelp(method, { name, status });
}
