import type { RuntimeArn } from '../aws/arn.ts';
import { getRuntimeInvocationsUrl } from '../aws/endpoints.ts';
import type { HttpReply } from '../http/post.ts';
import { ErrorCode, type JsonRpcRequest, type JsonRpcResponse } from '../mcp/message.ts';
import { HttpClient, type HttpClientOptions } from './http-client.ts';
import { describeErrorReply, type ErrorContext, type StatusDescription } from './http-errors.ts';
import type { OutgoingMessage, Upstream } from './upstream.ts';

const SESSION_HEADER = 'x-amzn-bedrock-agentcore-runtime-session-id';

interface InvokerOptions extends Omit<HttpClientOptions, 'url'> {
  readonly runtime: RuntimeArn;
  readonly qualifier: string | undefined;
  /** Base URL of the data plane. */
  readonly endpoint: URL;
}

/**
 * Sends messages to a runtime by InvokeAgentRuntime. The SDK's client does not fit: it hides the
 * JSON-RPC errors of 4xx replies and sends no bearer tokens. It also retries after a 5xx, so a tool
 * may run twice.
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
      statusDescriptions: RUNTIME_STATUS_DESCRIPTIONS,
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

/** HTTP statuses of InvokeAgentRuntime (source: its exceptions in the SDK's model). */
const RUNTIME_STATUS_DESCRIPTIONS: Readonly<Record<number, StatusDescription>> = {
  400: {
    code: ErrorCode.validation,
    what: 'AgentCore refused the request as invalid',
    todo: 'check the runtime, the qualifier and the arguments',
  },
  401: {
    code: ErrorCode.unauthorized,
    what: 'AgentCore did not accept who is calling',
    todo: 'check the credentials and the clock of this machine, and set AGENTCORE_AUTH if it takes JWT bearer tokens',
  },
  402: {
    code: ErrorCode.throttled,
    what: 'A quota of the account is exceeded',
    todo: 'stop sessions that are not needed, or ask AWS for a higher quota',
  },
  403: {
    code: ErrorCode.accessDenied,
    what: 'Access was denied',
    todo: 'check that these credentials may call bedrock-agentcore:InvokeAgentRuntime on the runtime and its endpoint',
  },
  404: {
    code: ErrorCode.notFound,
    what: 'AgentCore does not find the runtime, its endpoint or the session',
    todo: 'check the ARN, the region and the qualifier',
  },
  406: {
    code: ErrorCode.notAcceptable,
    what: 'The runtime answers in no form that was asked for',
    todo: 'check that it is an MCP runtime',
  },
  409: {
    code: ErrorCode.conflict,
    what: 'The session is changing just now',
    todo: 'try again',
  },
  413: {
    code: ErrorCode.validation,
    what: 'The request is too large',
    todo: 'AgentCore takes up to 100 MB',
  },
  424: {
    code: ErrorCode.containerFailed,
    what: 'The container of the runtime failed',
    todo: 'look at its CloudWatch logs',
  },
  429: {
    code: ErrorCode.throttled,
    what: 'AgentCore is throttling',
    todo: 'try again later, with fewer calls at once',
  },
};
