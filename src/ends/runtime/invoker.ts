import type { RuntimeArn } from '../../aws/arn.ts';
import type { Reply } from '../../aws/post.ts';
import { runtimeInvocationsUrl } from '../../aws/runtime-url.ts';
import type { Request, Response } from '../../mcp/message.ts';
import { AuthorizedPost, type AuthorizedPostOptions } from '../upstream/authorized-post.ts';
import { type Refusals, readRefusal } from '../upstream/refusal.ts';
import type { Invocation, Upstream } from '../upstream/upstream.ts';
import { RUNTIME_MEANINGS } from './runtime-meanings.ts';

const SESSION_HEADER = 'x-amzn-bedrock-agentcore-runtime-session-id';

export interface InvokerOptions extends Omit<AuthorizedPostOptions, 'url'> {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  /** Base URL of the data plane. */
  readonly endpoint: URL;
}

/**
 * Calls InvokeAgentRuntime. The SDK's client does not fit. It hides JSON-RPC errors behind 4xx
 * statuses, and it sends no bearer tokens. It also retries after a 5xx, which may run a tool twice.
 */
export class RuntimeInvoker implements Upstream {
  readonly noun = 'runtime';
  readonly #post: AuthorizedPost;
  readonly #refusals: Refusals;

  constructor(options: InvokerOptions) {
    const { endpoint, runtime, qualifier } = options;
    const url = runtimeInvocationsUrl(endpoint, runtime, qualifier);
    this.#post = new AuthorizedPost({ ...options, url });
    this.#refusals = {
      noun: 'runtime',
      method: this.#post.method,
      wanted: () => this.#post.wanted(),
      facts: { runtime: runtime.arn },
      meanings: RUNTIME_MEANINGS,
      sessionHeader: SESSION_HEADER,
    };
  }

  async invoke(invocation: Invocation): Promise<Reply> {
    const { session } = invocation;
    const reply = await this.#post.send(invocation, { [SESSION_HEADER]: session.id });
    const returnedId = reply.headers[SESSION_HEADER];
    if (typeof returnedId === 'string' && returnedId !== '') session.learnIds({ returnedId });
    return reply;
  }

  readRefusal(reply: Reply, request: Request | undefined): Promise<Response> {
    return readRefusal(reply, request, this.#refusals);
  }

  renewAfter(thrown: unknown, since: number): Promise<boolean> {
    return this.#post.renewAfter(thrown, since);
  }
}
