import type { Reply } from '../../aws/post.ts';
import type { Request, Response } from '../../mcp/message.ts';
import { AuthorizedPost, type AuthorizedPostOptions } from '../upstream/authorized-post.ts';
import { type Refusals, readRefusal } from '../upstream/refusal.ts';
import type { Invocation, Upstream } from '../upstream/upstream.ts';
import { GATEWAY_MEANINGS } from './gateway-meanings.ts';

export interface GatewayInvokerOptions extends AuthorizedPostOptions {
  /** ARN or URL. */
  readonly name: string;
}

/**
 * Calls an AgentCore gateway. The SDKs have no client for InvokeGateway: it is MCP over Streamable
 * HTTP.
 */
export class GatewayInvoker implements Upstream {
  readonly noun = 'gateway';
  readonly #post: AuthorizedPost;
  readonly #refusals: Refusals;

  constructor(options: GatewayInvokerOptions) {
    const { name } = options;
    this.#post = new AuthorizedPost(options);
    this.#refusals = {
      noun: 'gateway',
      method: this.#post.method,
      wanted: () => this.#post.wanted(),
      facts: { gateway: name },
      meanings: GATEWAY_MEANINGS,
    };
  }

  invoke(invocation: Invocation): Promise<Reply> {
    return this.#post.send(invocation);
  }

  readRefusal(reply: Reply, request: Request | undefined): Promise<Response> {
    return readRefusal(reply, request, this.#refusals);
  }

  renewAfter(thrown: unknown, since: number): Promise<boolean> {
    return this.#post.renewAfter(thrown, since);
  }
}
