import { setMaxListeners } from 'node:events';
import type { HttpReply } from '../http/post.ts';
import { ErrorCode, type JsonRpcRequest, type JsonRpcResponse } from '../mcp/message.ts';
import { HttpClient, type HttpClientOptions } from './http-client.ts';
import { describeErrorReply, type ErrorContext, type StatusDescription } from './http-errors.ts';
import type { OutgoingMessage, Upstream, UpstreamSession, UpstreamSessions } from './upstream.ts';

interface GatewayInvokerOptions extends HttpClientOptions {
  /** ARN or URL. */
  readonly name: string;
}

/**
 * Sends messages to an AgentCore gateway by MCP over Streamable HTTP. The AWS SDKs have no client
 * for InvokeGateway.
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
      statusDescriptions: GATEWAY_STATUS_DESCRIPTIONS,
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

/** HTTP statuses of a gateway (source: "Gateways" of the AgentCore developer guide). */
const GATEWAY_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'The gateway refused the request as invalid',
    todo: 'check the arguments, and the version of MCP that the gateway speaks',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'The gateway did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeGateway on the gateway',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'There is no such gateway, or it does not know the session',
    todo: 'check the address and the region',
  },
  405: {
    code: ErrorCode.notAcceptable,
    what: 'The address takes no MCP messages',
    todo: 'check that it is that of a gateway, which ends with /mcp',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The gateway answers in no form that was asked for',
    todo: 'check that it speaks MCP',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The gateway is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'gateways take up to 6 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'A target of the gateway failed',
    todo: "look at the gateway's and the target's CloudWatch logs",
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};

/**
 * A client's session with a gateway. It has no microVM and costs nothing, so it is not recorded in
 * the journal. The gateway ends it after at most eight hours.
 */
class GatewaySession implements UpstreamSession {
  readonly id: string;
  readonly key = undefined;
  readonly routingId = undefined;
  /** Never aborts, because nothing stops the session. */
  readonly closing = new AbortController().signal;
  protocolVersion: string | undefined;
  mcpSessionId: string | undefined;
  mayRun = false;
  #lastRequest = 0;
  #open = 0;
  #onIdle: (() => void)[] = [];

  constructor(id: string) {
    this.id = id;
    setMaxListeners(0, this.closing);
  }

  nextRequestNumber(): number {
    return ++this.#lastRequest;
  }

  callBegins(): () => void {
    this.#open++;
    return () => {
      if (--this.#open === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
    };
  }

  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  async onRecord(): Promise<void> {}

  learnIds({ mcpSessionId = this.mcpSessionId }: { readonly mcpSessionId?: string | undefined }) {
    this.mcpSessionId = mcpSessionId;
  }

  accepted(): void {
    this.mayRun = true;
  }

  startedUnseen(): void {
    this.accepted();
  }

  refused(): void {}
}

/** Gateway sessions of this process. */
export class GatewaySessions implements UpstreamSessions {
  begin(id: string): UpstreamSession {
    return new GatewaySession(id);
  }

  end(): void {}

  leave(): void {}

  supersede(): void {}
}
