import type { Agent } from 'node:http';
import type { Authorizer } from '../../aws/authorization/authorizer.ts';
import { type Wanted, wantedBy } from '../../aws/authorization/challenge.ts';
import { ConnectionPace } from '../../aws/connection-pace.ts';
import type { Network } from '../../aws/network.ts';
import { post, type Reply, type Target, targetOf } from '../../aws/post.ts';
import type { Timeouts } from '../../aws/silence-clock.ts';
import { AgentCoreError } from '../../error.ts';
import type { Invocation } from './upstream.ts';

/** Longer than any clock of a stream that is meant to be silent: AgentCore's own limit is an hour. */
const STREAM_LIMIT = 61 * 60 * 1000;
/** Milliseconds for which it is remembered how the server wants to be told who is calling. */
const WANTED_FOR = 60_000;
/** Milliseconds that a call which was refused already waits for that. */
const ASK_WITHIN = 2_000;

export interface AuthorizedPostOptions {
  readonly url: URL;
  readonly authorizer: Authorizer;
  readonly agent: Agent;
  readonly network: Network;
  readonly timeouts: Timeouts;
}

/** Posts messages to one URL, each with what says who is calling. */
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

  /** What the server says to a request that does not say who is calling; never rejects. */
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
   * Resolves with the head of the answer, whatever its status; throws as {@link post} and the
   * authorizer do.
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
    await session.onRecord();
    signal.throwIfAborted();
    onSend?.();
    const reply = await post({
      target,
      headers: authorized,
      body,
      agent,
      pace: this.#pace,
      signal,
      urgent,
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

  /** As {@link Upstream.renewAfter} has it. */
  async renewAfter(thrown: unknown, since: number): Promise<boolean> {
    const { method, renew } = this.#options.authorizer;
    return isOfCaller(thrown, method) && renew(since);
  }
}

const OF_CREDENTIALS = /^(ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidSignature)/;

/**
 * Whether another token, other credentials or the right time may help: what expired, a key that is
 * no more, a signature of another time.
 */
function isOfCaller(thrown: unknown, method: Authorizer['method']): boolean {
  if (!(thrown instanceof AgentCoreError)) return false;
  const { name, status, wants, source } = thrown.data ?? {};
  if (source === 'server') return false;
  if (wants !== undefined && wants !== method) return false;
  if (method === 'bearer') return status === 401;
  if (status !== 401 && status !== 403) return name === 'ExpiredTokenException';
  // An MCP runtime says no more than that access is denied, whatever is wrong with the signature.
  return typeof name !== 'string' || OF_CREDENTIALS.test(name);
}
