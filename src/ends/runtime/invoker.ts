import type { RuntimeArn } from '../../aws/arn.ts';
import type { HttpReply } from '../../aws/post.ts';
import { getRuntimeInvocationsUrl } from '../../aws/runtime-url.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../../mcp/message.ts';
import { HttpClient, type HttpClientOptions } from '../upstream/authorized-post.ts';
import { describeErrorReply, type ErrorContext } from '../upstream/refusal.ts';
import type { OutgoingMessage, Upstream } from '../upstream/upstream.ts';
import { RUNTIME_STATUS_DESCRIPTIONS } from './runtime-meanings.ts';

const SESSION_HEADER = 'x-amzn-bedrock-agentcore-runtime-session-id';

interface InvokerOptions extends Omit<HttpClientOptions, 'url'> {
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
  readonly #post: HttpClient;
  readonly #refusals: ErrorContext;

  constructor(options: InvokerOptions) {
    const { endpoint, runtime, qualifier } = options;
    const url = getRuntimeInvocationsUrl(endpoint, runtime, qualifier);
    this.#post = new HttpClient({ ...options, url });
    this.#refusals = {
      noun: 'runtime',
      method: this.#post.method,
      wanted: () => this.#post.wanted(),
      facts: { runtime: runtime.arn },
      meanings: RUNTIME_STATUS_DESCRIPTIONS,
      sessionHeader: SESSION_HEADER,
    };
  }

  async invoke(invocation: OutgoingMessage): Promise<HttpReply> {
    const { session } = invocation;
    const reply = await this.#post.send(invocation, { [SESSION_HEADER]: session.id });
    const returnedId = reply.headers[SESSION_HEADER];
    if (typeof returnedId === 'string' && returnedId !== '') session.learnIds({ returnedId });
    return reply;
  }

  readRefusal(reply: HttpReply, request: JsonRpcRequest | undefined): Promise<JsonRpcResponse> {
    return describeErrorReply(reply, request, this.#refusals);
  }

  renewAfter(thrown: unknown, since: number): Promise<boolean> {
    return this.#post.renewAfter(thrown, since);
  }
}
