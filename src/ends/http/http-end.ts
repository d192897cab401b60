import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { AgentCoreError, getErrorMessage } from '../../error.ts';
import type { Log } from '../../log.ts';
import { getProtocolEra } from '../../mcp/era.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import {
  createErrorResponse,
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  readMessages,
  withId,
} from '../../mcp/message.ts';
import { toErrorResponse, toInvalidMessageResponse } from '../../relay/answers.ts';
import { type CallInfo, CancelledError, type Peer } from '../../relay/peer.ts';
import { runInSlices } from '../../slices.ts';
import { readBody } from './body.ts';
import { HttpServerCall, PendingServerRequests } from './front-call.ts';
import type { Outbox } from './outbox.ts';
import { HttpServerReply } from './post-reply.ts';
import { checkRequest } from './request-guard.ts';

interface Health {
  /** AgentCore keeps a busy microVM alive. `undefined` if the server cannot be used. */
  readonly status: 'Healthy' | 'HealthyBusy' | undefined;
  readonly reason?: string | undefined;
}

interface HttpServerTransportOptions {
  readonly server: Peer;
  /** Listening address. */
  readonly host: string;
  /** Holds the server's messages while no client request can carry them. */
  readonly outbox: Outbox;
  readonly health: () => Health;
  /** Called with the microVM's session id before the first message reaches the server. */
  readonly onSession: (id: string) => void;
  readonly messageLimit: number;
  readonly log: Log;
}

/**
 * Client end of a relay over HTTP, with AgentCore's container contract. MCP is on `POST /mcp` (MCP
 * runtimes) and `POST /invocations` (HTTP runtimes), health on `GET /ping`.
 */
export class HttpServerTransport {
  readonly #options: HttpServerTransportOptions;
  readonly #questions: PendingServerRequests;
  readonly #calls = new Set<HttpServerCall>();
  #healthChanged = Math.floor(Date.now() / 1000);
  #lastStatus: Health['status'] = 'Healthy';
  #mcpSessionId: string | undefined;
  #sessionKnown = false;

  constructor(options: HttpServerTransportOptions) {
    this.#options = options;
    this.#questions = new PendingServerRequests(options.outbox);
  }

  /** Request handler for a Node HTTP server. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const path = request.url?.split('?')[0];
    try {
      const refusal = checkRequest(request, this.#options.host);
      if (refusal) {
        this.#options.log('warning', `Refused a request: ${refusal.reason}`);
        return refuse(response, refusal.status, refusal.reason);
      }
      if (path === '/ping') return this.#ping(response);
      if (path !== '/mcp' && path !== '/invocations') {
        return refuse(response, 404, `There is nothing at ${path}`);
      }
      if (request.method !== 'POST') {
        response.setHeader('allow', 'POST');
        return refuse(response, 405, 'Messages are sent by POST');
      }
      await this.#post(path, request, response);
    } catch (thrown) {
      this.#options.log('error', `Could not answer a POST: ${getErrorMessage(thrown)}`);
      if (!response.headersSent) refuse(response, 500, getErrorMessage(thrown));
    }
  }

  #ping(response: ServerResponse): void {
    const { status, reason } = this.#options.health();
    if (status !== this.#lastStatus) {
      this.#lastStatus = status;
      this.#healthChanged = Math.floor(Date.now() / 1000);
    }
    const body = status
      ? { status, time_of_last_update: this.#healthChanged }
      : { status: 'Unhealthy', reason, time_of_last_update: this.#healthChanged };
    response
      .writeHead(status ? 200 : 503, { 'content-type': 'application/json' })
      .end(JSON.stringify(body));
  }

  async #post(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, this.#options.messageLimit);
    if ('refusal' in body) return refuse(response, body.status, body.refusal);
    const messages = await runInSlices(readMessages(body.bytes, 'client'));
    const [only] = messages;
    if (messages.length === 1 && only?.kind === 'fault') {
      return refuse(response, 400, only.reason, only.code);
    }
    if (path === '/mcp' && !this.#isOurSession(request, messages)) {
      return refuse(response, 404, 'Session not found: initialize again', ErrorCode.unauthorized);
    }
    this.#learnSession(request);
    if (path === '/mcp' && messages.some(isInitialize)) {
      // If the platform sent a session id, it routes by that id. Otherwise the client returns ours.
      this.#mcpSessionId = getHeader(request, 'mcp-session-id') ?? randomUUID();
      response.setHeader('mcp-session-id', this.#mcpSessionId);
    }
    await this.#serve(path, request, response, messages);
  }

  async #serve(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    messages: readonly (JsonRpcMessage | InvalidMessage)[],
  ): Promise<void> {
    const answered = messages.filter((message) => message.kind === 'response');
    const questions = answered.flatMap((each) => this.#questions.answeredBy(each) ?? []);
    const goesOn = questions.find(({ call }) => call.takesTurns)?.call;
    const owed = messages.filter(({ kind }) => kind === 'request' || kind === 'fault').length;
    const reply = new HttpServerReply(response, {
      takesStream: acceptsMediaType(request, 'text/event-stream'),
      owed: owed + (goesOn ? 1 : 0),
    });
    // A client with one message per POST answered a server request: continue the call on this POST.
    goesOn?.continueOn(reply);
    for (const each of answered) this.#questions.answeredBy(each)?.answer(each);
    for (const message of messages) {
      if (message.kind === 'fault') await reply.answer(toInvalidMessageResponse(message));
      else if (message.kind === 'notification') this.#notify(message);
      else if (message.kind === 'request') void this.#call(path, request, response, message, reply);
    }
    if (owed === 0 && !goesOn) response.writeHead(202).end();
  }

  async #call(
    path: string,
    http: IncomingMessage,
    response: ServerResponse,
    request: JsonRpcRequest,
    reply: HttpServerReply,
  ): Promise<void> {
    const { outbox } = this.#options;
    const call = new HttpServerCall(request, {
      reply,
      takesTurns: expectsSingleMessage(http, request),
      questions: this.#questions,
      outbox,
    });
    this.#calls.add(call);
    if (getProtocolEra(request) === 'handshake') {
      // Before initialization, a client cannot handle session messages.
      if (request.method !== 'initialize') outbox.deliverTo(call);
    } else {
      // Without a session, a client cancels by closing the POST (MCP 2026-07-28).
      response.once('close', () => {
        if (!response.writableFinished) call.abort.abort(new CancelledError());
      });
    }
    let answer: JsonRpcResponse;
    let status = 200;
    const callInfo: CallInfo = { attempts: 0 };
    try {
      const { signal } = call.abort;
      answer = await this.#options.server.request(request, {
        signal,
        sender: call,
        call: callInfo,
      });
    } catch (thrown) {
      if (thrown instanceof CancelledError) {
        this.#questions.forget(call);
        return call.forgo();
      }
      const { mayHaveRun } = callInfo;
      answer = toErrorResponse(request.id, thrown, mayHaveRun);
      const isGone = thrown instanceof AgentCoreError && thrown.code === 'upstream';
      // After a 404, an MCP client starts a new session and sends the request again. Use 404 only
      // if the server never received the request.
      if (path === '/mcp' && isGone && !mayHaveRun) status = 404;
    } finally {
      this.#calls.delete(call);
      this.#questions.release(call);
    }
    await call.answer(withId(answer, request.id), status);
  }

  #notify(notification: JsonRpcNotification): void {
    if (notification.method === 'notifications/cancelled') {
      const id = readIdAt(notification, ['params', 'requestId']);
      for (const call of this.#calls) {
        if (call.asked.id.key === id?.key) call.abort.abort(new CancelledError(notification));
      }
      return;
    }
    const exchange = { signal: new AbortController().signal, sender: NOBODY };
    this.#options.server.notify(notification, exchange).catch((thrown) => {
      this.#options.log(
        'warning',
        `Could not deliver ${notification.method}: ${getErrorMessage(thrown)}`,
      );
    });
  }

  /** An MCP client with the id of another session must initialize again. */
  #isOurSession(
    request: IncomingMessage,
    messages: readonly (JsonRpcMessage | InvalidMessage)[],
  ): boolean {
    const id = getHeader(request, 'mcp-session-id');
    if (id === undefined || id === this.#mcpSessionId) return true;
    return messages.every((each) => each.kind !== 'fault' && isConversationStart(each));
  }

  #learnSession(request: IncomingMessage): void {
    if (this.#sessionKnown) return;
    const id =
      getHeader(request, 'x-amzn-bedrock-agentcore-runtime-session-id') ??
      getHeader(request, 'mcp-session-id');
    if (id === undefined) return;
    this.#sessionKnown = true;
    this.#options.onSession(id);
  }
}

/** Sender of a notification that came without a request. */
const NOBODY: Peer = {
  request: () => Promise.reject(new AgentCoreError('usage', 'Nobody waits for this')),
  notify: () => Promise.resolve(),
};

/**
 * mcp-agentcore-proxy reads a POST to its end before it continues, so a server request must end the
 * POST. Such a client is detected by what it omits. Either it does not accept event streams, or it
 * lacks the protocol version header after `initialize`.
 */
function expectsSingleMessage(http: IncomingMessage, request: JsonRpcRequest): boolean {
  if (!acceptsMediaType(http, 'text/event-stream')) return true;
  if (request.method === 'initialize' || getProtocolEra(request) === 'stateless') return false;
  return getHeader(http, 'mcp-protocol-version') === undefined;
}

function isInitialize(message: JsonRpcMessage | InvalidMessage): boolean {
  return message.kind === 'request' && message.method === 'initialize';
}

function isConversationStart(message: JsonRpcMessage): boolean {
  return isInitialize(message) || getProtocolEra(message) === 'stateless';
}

function acceptsMediaType(request: IncomingMessage, type: string): boolean {
  const accepted = request.headers.accept ?? '';
  return accepted.includes(type) || accepted.includes('*/*');
}

function getHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function refuse(
  response: ServerResponse,
  status: number,
  message: string,
  code: number = ErrorCode.invalidRequest,
): void {
  const { bytes } = createErrorResponse(undefined, { code, message });
  response.writeHead(status, { 'content-type': 'application/json' }).end(bytes);
}
