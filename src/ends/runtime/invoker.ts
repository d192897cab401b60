import type { Agent } from 'node:http';
import type { RuntimeArn } from '../../aws/arn.ts';
import { ConnectionPace } from '../../aws/connection-pace.ts';
import { post, type Reply, type Target, targetOf } from '../../aws/post.ts';
import type { Signer } from '../../aws/signer.ts';
import type { Timeouts } from '../../aws/silence-clock.ts';
import type { RuntimeSession } from '../../sessions/runtime-session.ts';

/** Longer than any clock of a stream that is meant to be silent: AgentCore's own limit is an hour. */
const STREAM_LIMIT = 61 * 60 * 1000;

export interface InvokerOptions {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  /** The data plane's base URL. */
  readonly endpoint: URL;
  readonly signer: Signer;
  /** Gets other credentials after those of `since` were refused; false where there are none. */
  readonly renewCredentials: (since: number) => Promise<boolean>;
  readonly agent: Agent;
  readonly timeouts: Timeouts;
}

export interface Invocation {
  readonly session: RuntimeSession;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
  /** Called when the request is about to leave the machine. */
  readonly onSend?: () => void;
  /** True for a stream that may be silent for as long as it is open. */
  readonly longLived?: boolean;
}

/**
 * Calls AgentCore's InvokeAgentRuntime. The SDK's client cannot stand in here: it hides a JSON-RPC
 * error behind a status of 4xx, and repeats what failed with 5xx, which may run a tool twice.
 */
export class RuntimeInvoker {
  readonly #options: InvokerOptions;
  readonly #target: Target;
  readonly #pace = new ConnectionPace();

  constructor(options: InvokerOptions) {
    this.#options = options;
    const { endpoint, runtime, qualifier } = options;
    const base = endpoint.pathname.replace(/\/$/, '');
    const url = new URL(endpoint);
    url.pathname = `${base}/runtimes/${encodeURIComponent(runtime.arn)}/invocations`;
    url.search = qualifier ? `?qualifier=${encodeURIComponent(qualifier)}` : '';
    this.#target = targetOf(url);
  }

  get runtime(): RuntimeArn {
    return this.#options.runtime;
  }

  /** See {@link InvokerOptions.renewCredentials}. */
  renewCredentials(since: number): Promise<boolean> {
    return this.#options.renewCredentials(since);
  }

  /** Resolves with the head of the answer, whatever its status; throws as {@link post} does. */
  async invoke(invocation: Invocation): Promise<Reply> {
    const { session, body, signal } = invocation;
    const { signer, agent, timeouts } = this.#options;
    const target = this.#target;
    const headers = await signer({
      target,
      body,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'x-amzn-bedrock-agentcore-runtime-session-id': session.id,
        ...invocation.headers,
      },
    });
    await session.onRecord();
    signal.throwIfAborted();
    invocation.onSend?.();
    const reply = await post({
      target,
      headers,
      body,
      agent,
      pace: this.#pace,
      signal,
      timeouts: invocation.longLived
        ? { ...timeouts, read: Math.max(timeouts.read, STREAM_LIMIT) }
        : timeouts,
    });
    const returnedId = reply.headers['x-amzn-bedrock-agentcore-runtime-session-id'];
    if (typeof returnedId === 'string' && returnedId !== '') session.learnIds({ returnedId });
    return reply;
  }
}
