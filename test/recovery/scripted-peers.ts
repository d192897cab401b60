import {
  type JsonObject,
  makeError,
  makeRequest,
  type Notification,
  numericId,
  parseMessages,
  type Request,
  type Response,
} from '../../src/mcp/message.ts';
import type { Exchange, Peer } from '../../src/relay/peer.ts';

type Answer = Response | Promise<Response>;

/** A server for a test, which records its messages and answers according to the script. */
export class ScriptedServer implements Peer {
  readonly requests: Request[] = [];
  /** Methods of requests and notifications, in order of arrival. */
  readonly methods: string[] = [];
  readonly #script: (request: Request, exchange: Exchange) => Answer;
  readonly #notified: (method: string) => Promise<void> | undefined;

  constructor(
    script: (request: Request, exchange: Exchange) => Answer,
    notified: (method: string) => Promise<void> | undefined = () => undefined,
  ) {
    this.#script = script;
    this.#notified = notified;
  }

  async request(request: Request, exchange: Exchange): Promise<Response> {
    this.requests.push(request);
    this.methods.push(request.method);
    return this.#script(request, exchange);
  }

  async notify({ method }: Notification): Promise<void> {
    this.methods.push(method);
    await this.#notified(method);
  }

  count(method: string): number {
    return this.methods.filter((known) => known === method).length;
  }
}

/** A client that records its messages, and answers every request. */
export class ScriptedClient implements Peer {
  readonly told: Notification[] = [];

  async request(request: Request): Promise<Response> {
    return resultFor(request, {});
  }

  async notify(notification: Notification): Promise<void> {
    this.told.push(notification);
  }
}

export function requestOf(method: string, params?: JsonObject): Request {
  return makeRequest(numericId(1), method, params);
}

export function callOf(name: string, meta?: JsonObject): Request {
  return requestOf('tools/call', { name, arguments: {}, ...(meta && { _meta: meta }) });
}

export function resultFor({ id }: Request, result: unknown): Response {
  const text = `{"jsonrpc":"2.0","id":${id.token},"result":${JSON.stringify(result)}}`;
  return parseMessages(Buffer.from(text), 'server')[0] as Response;
}

export function errorFor({ id }: Request, code: number, message: string): Response {
  return makeError(id, { code, message });
}

/** The context of one client request. */
export function exchangeWith(
  back: Peer = new ScriptedClient(),
  signal: AbortSignal = new AbortController().signal,
): Exchange {
  return { back, signal };
}
