import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { runInSlices } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  createErrorResponse,
  createRequestId,
  ErrorCode,
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  readMessages,
  replaceValueAt,
  withId,
} from '../mcp/message.ts';
import { getProtocolEra } from '../mcp/protocol.ts';
import {
  CancelledError,
  createContext,
  type Peer,
  type RequestContext,
  toErrorResponse,
  toInvalidMessageResponse,
} from '../relay/peer.ts';
import type { Outbox } from './outbox.ts';
import { checkRequest, readBody } from './request-guard.ts';

/** The health for `GET /ping`. */
interface Health {
  /** AgentCore keeps a microVM with `HealthyBusy` alive. `undefined` if the server is unusable. */
  readonly status: 'Healthy' | 'HealthyBusy' | undefined;
  readonly reason?: string | undefined;
}

interface HttpServerTransportOptions {
  readonly server: Peer;
  /** Listening address. */
  readonly host: string;
  /** Stores server messages until a client request can carry them. */
  readonly outbox: Outbox;
  readonly health: () => Health;
  /** Called once with the session id, before a message reaches the server. */
  readonly onSession: (id: string) => void;
  readonly messageLimit: number;
  readonly log: Log;
}

/**
 * Serves MCP clients over HTTP by AgentCore's container contract. MCP is on `POST /mcp` (MCP
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
      // If AgentCore sent a session id, it routes by this id. Otherwise assign an id.
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
    // If a client with one message per POST answers a server request, its call continues on this
    // POST.
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
      // Stored messages must wait until the client is initialized.
      if (request.method !== 'initialize') outbox.deliverTo(call);
    } else {
      // Without a session, a client cancels by closing the POST (MCP 2026-07-28).
      response.once('close', () => {
        if (!response.writableFinished) call.abort.abort(new CancelledError());
      });
    }
    let answer: JsonRpcResponse;
    let status = 200;
    const context = createContext('to-server', { signal: call.abort.signal, sender: call });
    try {
      answer = await this.#options.server.request(request, context);
    } catch (thrown) {
      if (thrown instanceof CancelledError) {
        this.#questions.forget(call);
        return call.forgo();
      }
      const { mayHaveRun } = context.call;
      answer = toErrorResponse(request.id, thrown, mayHaveRun);
      const isGone = thrown instanceof AgentCoreError && thrown.code === 'upstream';
      // An MCP client reacts to a 404 with a new session, and sends the request again. Send it only
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
    this.#options.server.notify(notification, createContext('to-server')).catch((thrown) => {
      this.#options.log(
        'warning',
        `Could not deliver ${notification.method}: ${getErrorMessage(thrown)}`,
      );
    });
  }

  /** False if the request has the id of another session, unless it starts a conversation. */
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

/**
 * True for clients with one message per POST, such as mcp-agentcore-proxy. They read a POST to its
 * end before they continue, so a server request must end it. They do not accept event streams, or
 * lack the protocol version header after `initialize`.
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

/** Milliseconds for an answer after the client request has ended. A person may have to decide. */
const MAX_ANSWER_TIME_MS = 10 * 60_000;

/** The server's open requests to the client, by the id on the client's side. */
class PendingServerRequests {
  #last = 0;
  readonly #open = new Map<string, PendingServerRequest>();
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Sends a server request on a call's POST. Resolves with the client's response. */
  ask(
    request: JsonRpcRequest,
    call: HttpServerCall,
    signal: AbortSignal,
  ): Promise<JsonRpcResponse> {
    const id = createRequestId(++this.#last);
    return new Promise<JsonRpcResponse>((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const close = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', takeBack);
        this.#open.delete(id.key);
      };
      const fail = (error: Error) => {
        close();
        reject(error);
      };
      const takeBack = () => {
        reject(signal.reason);
        // With one message per POST, the client will still send a POST. The call continues on it.
        if (!call.takesTurns) close();
        const { notification } = signal.reason as Partial<CancelledError>;
        if (!notification) return;
        void this.#tell(call, replaceValueAt(notification, ['params', 'requestId'], id.token));
      };
      signal.addEventListener('abort', takeBack, { once: true });
      this.#open.set(id.key, {
        call,
        answer: (response) => {
          close();
          resolve(withId(response, request.id));
        },
        fail,
        expire: () => {
          timer ??= setTimeout(() => {
            const minutes = MAX_ANSWER_TIME_MS / 60_000;
            fail(
              new AgentCoreError(
                'timeout',
                `The client did not answer ${request.method} within ${minutes} minutes of the end of the request that carried it. Ask again while a request is open.`,
              ),
            );
          }, MAX_ANSWER_TIME_MS);
        },
      });
      call.put(withId(request, id)).catch(fail);
    });
  }

  /** Finds the server request that a response answers. */
  answeredBy(response: JsonRpcResponse): PendingServerRequest | undefined {
    return this.#open.get(response.id?.key ?? '');
  }

  /**
   * Called when a client request ends. Its server requests stay open for a limited time: on stdio,
   * they do not name their client request, so they may belong to another one.
   */
  release(call: HttpServerCall): void {
    for (const question of this.#open.values()) if (question.call === call) question.expire();
  }

  /** Fails the server requests of a cancelled call. */
  forget(call: HttpServerCall): void {
    const over = new AgentCoreError('connection', 'The request that this was asked for is over');
    for (const question of this.#open.values()) if (question.call === call) question.fail(over);
  }

  async #tell(call: HttpServerCall, notification: JsonRpcNotification): Promise<void> {
    if (await call.say(notification)) return;
    await this.#outbox.notify(notification, createContext('to-client'));
  }
}

/** An open server request. */
interface PendingServerRequest {
  readonly call: HttpServerCall;
  readonly answer: (response: JsonRpcResponse) => void;
  readonly fail: (error: Error) => void;
  /** Starts the remaining time for the client to respond. */
  readonly expire: () => void;
}

interface HttpServerCallOptions {
  readonly reply: HttpServerReply;
  /**
   * True for a client with one message per POST: a server request ends the POST, and the client's
   * answer opens the next one.
   */
  readonly takesTurns: boolean;
  readonly questions: PendingServerRequests;
  /** Receives messages if the POST of this call cannot carry them. */
  readonly outbox: Outbox;
}

/**
 * An open request of an HTTP client. For the relay it is the client as a peer: server messages are
 * sent on the request's POST.
 */
class HttpServerCall implements Peer {
  readonly asked: JsonRpcRequest;
  readonly abort = new AbortController();
  readonly takesTurns: boolean;
  readonly #questions: PendingServerRequests;
  readonly #outbox: Outbox;
  #reply: HttpServerReply;
  /** Set while the client has to answer a server request in its next POST. */
  #turnOfClient: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(
    request: JsonRpcRequest,
    { reply, takesTurns, questions, outbox }: HttpServerCallOptions,
  ) {
    this.asked = request;
    this.#reply = reply;
    this.takesTurns = takesTurns;
    this.#questions = questions;
    this.#outbox = outbox;
  }

  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    // The POST has ended. Wait for the next one, unless the client's answer will open it.
    if (this.#reply.isOver && !this.takesTurns) return this.#outbox.request(request, context);
    return this.#questions.ask(request, this, context.signal);
  }

  async notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    if (this.#reply.isOver) return this.#outbox.notify(notification, context);
    await this.say(notification);
  }

  /** Sends a message on the call's POST. Resolves with false if the POST cannot carry it. */
  say(message: JsonRpcMessage): Promise<boolean> {
    return this.#reply.say(message);
  }

  /** Sends a server request to the client. */
  async put(question: JsonRpcRequest): Promise<void> {
    if (this.takesTurns) {
      // No `await` between the check and the next turn: several server requests may wait here.
      while (this.#turnOfClient) await this.#turnOfClient.over;
      let end = () => {};
      const over = new Promise<void>((resolve) => {
        end = resolve;
      });
      this.#turnOfClient = { over, end };
      return this.#reply.handOver(question);
    }
    if (await this.say(question)) return;
    throw new AgentCoreError('connection', 'The client that would have to answer is gone');
  }

  /** Continues the call on a new POST after a server request ended the previous one. */
  continueOn(reply: HttpServerReply): void {
    this.#reply = reply;
    this.#turnOfClient?.end();
    this.#turnOfClient = undefined;
  }

  async answer(response: JsonRpcResponse, status: number): Promise<void> {
    while (this.#turnOfClient) await this.#turnOfClient.over;
    return this.#reply.answer(response, status);
  }

  forgo(): void {
    this.#reply.forgo();
  }
}

/**
 * The HTTP response to a POST. It is JSON if there is a single message, and an event stream if
 * another message precedes the last response.
 */
class HttpServerReply {
  readonly #response: ServerResponse;
  readonly #takesStream: boolean;
  /** Number of outstanding responses. The POST ends at zero. */
  #owed: number;

  /** @param takesStream False if the client accepts only JSON. It then gets one message. */
  constructor(response: ServerResponse, options: { takesStream: boolean; owed: number }) {
    this.#response = response;
    this.#takesStream = options.takesStream;
    this.#owed = options.owed;
  }

  get isOver(): boolean {
    return this.#response.writableEnded || this.#response.destroyed;
  }

  /**
   * Sends a message other than a response. Resolves when there is room for more; with false if the
   * message cannot be sent.
   */
  async say(message: JsonRpcMessage): Promise<boolean> {
    if (this.isOver || !this.#takesStream) return false;
    await this.#event(message);
    return true;
  }

  /** Sends one of the outstanding responses. */
  async answer(response: JsonRpcResponse, status = 200): Promise<void> {
    this.#owed--;
    if (this.isOver) return;
    if (this.#owed === 0 && !this.#response.headersSent) return this.#json(response, status);
    await this.#event(response);
    if (this.#owed === 0) this.#response.end();
  }

  /** Ends the POST with a server request. The client answers it in its next POST. */
  async handOver(message: JsonRpcMessage): Promise<void> {
    if (this.isOver) return;
    if (!this.#response.headersSent) return this.#json(message, 200);
    await this.#event(message);
    this.#response.end();
  }

  /** Removes one outstanding response, because its request was cancelled. */
  forgo(): void {
    this.#owed--;
    if (this.#owed > 0 || this.isOver) return;
    if (!this.#response.headersSent) this.#response.writeHead(202);
    this.#response.end();
  }

  #json(message: JsonRpcMessage, status: number): void {
    this.#response.writeHead(status, { 'content-type': 'application/json' }).end(message.bytes);
  }

  async #event(message: JsonRpcMessage): Promise<void> {
    const response = this.#response;
    if (!response.headersSent) {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    }
    response.cork();
    response.write('event: message\ndata: ');
    response.write(message.bytes);
    const hasRoom = response.write('\n\n');
    response.uncork();
    if (!hasRoom && !response.destroyed) {
      await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  }
}
