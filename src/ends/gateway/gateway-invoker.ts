import type { HttpReply } from '../../aws/post.ts';
import type { JsonRpcRequest, JsonRpcResponse } from '../../mcp/message.ts';
import { HttpClient, type HttpClientOptions } from '../upstream/authorized-post.ts';
import { describeErrorReply, type ErrorContext } from '../upstream/refusal.ts';
import type { OutgoingMessage, Upstream } from '../upstream/upstream.ts';
import { GATEWAY_STATUS_DESCRIPTIONS } from './gateway-meanings.ts';

interface GatewayInvokerOptions extends HttpClientOptions {
  /** ARN or URL. */
  readonly name: string;
}

/**
 * Calls an AgentCore gateway. The SDKs have no client for InvokeGateway: it is MCP over Streamable
 * HTTP.
 */
export class GatewayInvoker implements Upstream {
  readonly noun = 'gateway';
  readonly #post: HttpClient;
  readonly #refusals: ErrorContext;

  constructor(options: GatewayInvokerOptions) {
    const { name } = options;
    this.#post = new HttpClient(options);
    this.#refusals = {
      noun: 'gateway',
      method: this.#post.method,
      wanted: () => this.#post.wanted(),
      facts: { gateway: name },
      meanings: GATEWAY_STATUS_DESCRIPTIONS,
    };
  }

  invoke(invocation: OutgoingMessage): Promise<HttpReply> {
    return this.#post.send(invocation);
  }

  readRefusal(reply: HttpReply, request: JsonRpcRequest | undefined): Promise<JsonRpcResponse> {
    return describeErrorReply(reply, request, this.#refusals);
  }

  renewAfter(thrown: unknown, since: number): Promise<boolean> {
    return this.#post.renewAfter(thrown, since);
  }
}
