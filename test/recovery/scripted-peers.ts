import {
  createErrorResponse,
  createRequest,
  createRequestId,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
} from '../../src/mcp/message.ts';
import { createContext, type Peer, type RequestContext } from '../../src/relay/peer.ts';

type Answer = JsonRpcResponse | Promise<JsonRpcResponse>;

/** A server for a test, which records its messages and answers according to the script. */
export class ScriptedServer implements Peer {
  readonly requests: JsonRpcRequest[] = [];
  /** Methods of requests and notifications, in order of arrival. */
  readonly methods: string[] = [];
  readonly #script: (request: JsonRpcRequest, context: RequestContext) => Answer;
  readonly #notified: (method: string) => Promise<void> | undefined;

  constructor(
    script: (request: JsonRpcRequest, context: RequestContext) => Answer,
    notified: (method: string) => Promise<void> | undefined = () => undefined,
  ) {
    this.#script = script;
    this.#notified = notified;
  }

  async request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    this.requests.push(request);
    this.methods.push(request.method);
    return this.#script(request, context);
  }

  async notify({ method }: JsonRpcNotification): Promise<void> {
    this.methods.push(method);
    await this.#notified(method);
  }

  count(method: string): number {
    return this.methods.filter((known) => known === method).length;
  }
}

/** A client that records its messages, and answers every request. */
export class ScriptedClient implements Peer {
  readonly told: JsonRpcNotification[] = [];

  async request(request: JsonRpcRequest): Promise<JsonRpcResponse> {
    return resultFor(request, {});
  }

  async notify(notification: JsonRpcNotification): Promise<void> {
    this.told.push(notification);
  }
}

export function requestOf(method: string, params?: JsonObject): JsonRpcRequest {
  return createRequest(createRequestId(1), method, params);
}

export function callOf(name: string, meta?: JsonObject): JsonRpcRequest {
  return requestOf('tools/call', { name, arguments: {}, ...(meta && { _meta: meta }) });
}

export function resultFor({ id }: JsonRpcRequest, result: unknown): JsonRpcResponse {
  const text = `{"jsonrpc":"2.0","id":${id.token},"result":${JSON.stringify(result)}}`;
  return parseMessages(Buffer.from(text), 'server')[0] as JsonRpcResponse;
}

export function errorFor({ id }: JsonRpcRequest, code: number, message: string): JsonRpcResponse {
  return createErrorResponse(id, { code, message });
}

/** The context of one client request. */
export function exchangeWith(
  back: Peer = new ScriptedClient(),
  signal: AbortSignal = new AbortController().signal,
): RequestContext {
  return createContext('to-server', { sender: back, signal });
}
