import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import type { HttpReply } from '../http/post.ts';
import {
  getUntypedId,
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
  replaceValueAt,
  withId,
} from '../mcp/message.ts';
import { getProtocolEra } from '../mcp/protocol.ts';
import {
  CancelledError,
  type RequestContext,
  toErrorResponse,
  toInvalidMessageResponse,
} from '../relay/peer.ts';
import { readReplyMessages } from './http-client.ts';

/** Milliseconds for remaining messages of a cancelled request. */
const CANCELLED_LINGER_MS = 1_000;

/** Milliseconds for remaining messages after the response. */
const ANSWERED_LINGER_MS = 5_000;

/** Maximum open server requests of one call. Further ones are rejected. */
const MAX_SERVER_REQUESTS = 100;

/** Maximum kept responses with a missing or wrong id. Two wrong ids already exclude a match. */
const MAX_MISADDRESSED = 2;

/** The session of a call. */
interface CallSession {
  /** Kind of server, as named in error messages. */
  readonly noun: string;
  readonly messageLimit: number;
  readonly log: Log;
  /** True if the session ends with the call: later responses are then impossible. */
  readonly endsWithCall: boolean;
  /** Sends a client notification to the server. */
  notify(notification: JsonRpcNotification): Promise<void>;
  /** Sends the client's response to a server request. Resolves with the reply. */
  respond(response: JsonRpcResponse, signal: AbortSignal): Promise<HttpReply>;
  /** Returns a server request as the client receives it. */
  toClientRequest(request: JsonRpcRequest): JsonRpcRequest;
}

/**
 * A request in progress at the server. Delivers the messages of the request's stream to the client,
 * returns the client's responses, and ends both when the request ends.
 */
export class HttpCall {
  readonly #session: CallSession;
  readonly #request: JsonRpcRequest;
  readonly #context: RequestContext;
  /** Context of the server's messages. */
  readonly #toClient: RequestContext;
  readonly #abort = new AbortController();
  readonly #serverRequests = new Map<string, AbortController>();
  readonly #serving = new Set<Promise<void>>();
  #reply: HttpReply | undefined;
  #linger: NodeJS.Timeout | undefined;
  #sent = false;
  #answered = false;
  /** Responses with a missing or wrong id. */
  readonly #misaddressed: JsonRpcResponse[] = [];
  /** The first dropped invalid message. */
  #dropped: InvalidMessage | undefined;

  /** @param request The request with its id at the server. */
  constructor(session: CallSession, request: JsonRpcRequest, context: RequestContext) {
    this.#session = session;
    this.#request = request;
    this.#context = context;
    this.#toClient = { ...context, direction: 'to-client' };
  }

  /** Aborts the request's POST. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Called right before the request leaves the machine. From then on, a cancellation is sent. */
  sent(): void {
    this.#sent = true;
  }

  /** Ends the call at once. `run` rejects with `reason`. */
  end(reason: Error): void {
    this.#abort.abort(reason);
    this.#cancelServerRequests();
  }

  /**
   * Sends the request and resolves with its response. Other messages are delivered until the stream
   * ends, but only for a bounded time after the response.
   */
  async run(send: () => Promise<HttpReply | JsonRpcResponse>): Promise<JsonRpcResponse> {
    const { signal } = this.#context;
    signal.throwIfAborted();
    const giveUp = () => this.#giveUp(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    return new Promise<JsonRpcResponse>((resolve, reject) => {
      // Reject at once, even if the work itself is stuck.
      this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true });
      this.#work(send, resolve)
        .then(() => {
          if (!this.#answered) reject(this.#noAnswer());
        }, reject)
        .finally(() => {
          signal.removeEventListener('abort', giveUp);
          clearTimeout(this.#linger);
        });
    });
  }

  async #work(
    send: () => Promise<HttpReply | JsonRpcResponse>,
    answer: (response: JsonRpcResponse) => void,
  ): Promise<void> {
    try {
      const sent = await send();
      if ('kind' in sent) {
        this.#answered = true;
        return answer(sent);
      }
      this.#reply = sent;
      await this.#readMessages(sent, answer);
      // If the server sends one message per POST, this POST ended with a server request. The call
      // continues after the response to it.
      while (!this.#answered && this.#serving.size > 0) await Promise.race(this.#serving);
      this.#answerMisaddressed(answer);
      if (this.#session.endsWithCall) this.#cancelServerRequests();
    } catch (thrown) {
      this.#cancelServerRequests();
      throw thrown;
    } finally {
      this.#reply?.discard();
    }
  }

  async #readMessages(
    reply: HttpReply,
    answer: (response: JsonRpcResponse) => void,
  ): Promise<void> {
    const { messageLimit, noun } = this.#session;
    for await (const message of readReplyMessages(reply, messageLimit, noun)) {
      if (message.kind !== 'fault') reply.onMessage();
      await this.#receive(message, answer);
    }
  }

  async #receive(
    message: JsonRpcMessage | InvalidMessage,
    answer: (response: JsonRpcResponse) => void,
  ): Promise<void> {
    const request = this.#request;
    switch (message.kind) {
      case 'fault':
        return this.#drop(message, answer);
      case 'response':
        if (message.id?.key !== request.id.key) return this.#keepMisaddressed(message);
        this.#answered = true;
        answer(message);
        // The session may be stopped from now on.
        if (this.#session.endsWithCall) this.#cancelServerRequests();
        return this.#lingerFor(ANSWERED_LINGER_MS);
      case 'request': {
        this.#begin(this.#serve(message, answer));
        return;
      }
      case 'notification':
        if (message.method === 'notifications/cancelled') {
          const id = readIdAt(message, ['params', 'requestId']);
          const own = this.#serverRequests.get(id?.key ?? '');
          if (own) return own.abort(new CancelledError(message));
          // The id is no open server request. With a session, it is unknown to the client: drop it.
          // Without a session, the notification ends the subscription of this request: forward it.
          if (getProtocolEra(request) === 'handshake') return;
        }
        return this.#context.sender.notify(message, this.#toClient);
    }
  }

  /** Drops an invalid message. A heartbeat, for example, must not fail the call. */
  #drop(fault: InvalidMessage, answer: (response: JsonRpcResponse) => void): void {
    const { log, noun } = this.#session;
    // Warn once per call: a heartbeat may arrive every second.
    const level = this.#dropped ? 'debug' : 'warning';
    this.#dropped ??= fault;
    log(level, `Ignored an invalid message of the ${noun}: ${fault.reason}`);
    // Answer an invalid server request, or the server would wait forever.
    if (fault.id)
      this.#begin(this.#respond(toInvalidMessageResponse(fault), 'malformed request', answer));
  }

  /** Keeps a response with a missing or wrong id: it may still belong to this call. */
  #keepMisaddressed(response: JsonRpcResponse): void {
    const { log } = this.#session;
    if (!this.#answered && this.#misaddressed.length < MAX_MISADDRESSED) {
      this.#misaddressed.push(response);
    } else {
      log('warning', `Dropped an answer to another request: id ${response.id?.token}`);
    }
  }

  /**
   * Matches a kept response to the request if the stream ends without a correct one. The request is
   * the only one on its POST, so an error without an id belongs to it. The same applies to a single
   * error with a wrong id, and to a single response with an id of the wrong type.
   */
  #answerMisaddressed(answer: (response: JsonRpcResponse) => void): void {
    const request = this.#request;
    const { log } = this.#session;
    const [only, ...more] = this.#misaddressed;
    let meant: JsonRpcResponse | undefined;
    if (!this.#answered) {
      meant = this.#misaddressed.find(({ id }) => !id);
      const isSingle = only !== undefined && more.length === 0;
      if (
        isSingle &&
        (only.error || (only.id && getUntypedId(only.id) === getUntypedId(request.id)))
      ) {
        meant ??= withId(only, request.id);
      }
    }
    if (meant) {
      this.#answered = true;
      answer(meant);
    } else if (only) {
      log('warning', `Dropped an answer to another request: id ${only.id?.token}`);
    }
  }

  #begin(work: Promise<void>): void {
    const serving = work.finally(() => this.#serving.delete(serving));
    this.#serving.add(serving);
  }

  /** Forwards a server request to the client and sends its response. */
  async #serve(
    message: JsonRpcRequest,
    answer: (response: JsonRpcResponse) => void,
  ): Promise<void> {
    // The server may stay silent while a person decides.
    this.#reply?.holdClock(true);
    const response = await this.#ask(message).finally(() => this.#reply?.holdClock(false));
    if (response) await this.#respond(withId(response, message.id), message.method, answer);
  }

  /** Sends the response to a server request and reads the reply's messages. */
  async #respond(
    response: JsonRpcResponse,
    what: string,
    answer: (response: JsonRpcResponse) => void,
  ): Promise<void> {
    const { log, noun } = this.#session;
    let reply: HttpReply;
    try {
      reply = await this.#session.respond(response, this.signal);
    } catch (thrown) {
      if (this.signal.aborted || isShutdown(thrown)) return;
      // The response cannot arrive, and the server would wait for it. End the call.
      const reason = `The answer to the ${noun}'s ${what} could not be delivered: ${getErrorMessage(thrown)}`;
      log('error', reason);
      return this.end(new AgentCoreError('connection', reason, { cause: thrown }));
    }
    try {
      await this.#readMessages(reply, answer);
    } catch (thrown) {
      this.end(thrown as Error);
    } finally {
      reply.discard();
    }
  }

  /**
   * Sends a server request to the client. Resolves with `undefined` if its response is no longer
   * needed.
   */
  async #ask(message: JsonRpcRequest): Promise<JsonRpcResponse | undefined> {
    if (this.#serverRequests.size >= MAX_SERVER_REQUESTS) {
      const reason = `${MAX_SERVER_REQUESTS} requests are open already; wait for answers first`;
      return toErrorResponse(message.id, new AgentCoreError('usage', reason));
    }
    const abort = new AbortController();
    this.#serverRequests.set(message.id.key, abort);
    try {
      const { signal } = abort;
      // Its own facts, because it has its own policy decision and redactions.
      const { session, requestId, traceId } = this.#context.call;
      return await this.#context.sender.request(this.#session.toClientRequest(message), {
        ...this.#toClient,
        signal,
        call: { attempts: 0, session, requestId, traceId },
      });
    } catch (thrown) {
      if (thrown instanceof CancelledError) return undefined;
      if (!isShutdown(thrown)) return toErrorResponse(message.id, thrown);
      this.end(thrown);
      return undefined;
    } finally {
      this.#serverRequests.delete(message.id.key);
    }
  }

  #giveUp(reason: Error): void {
    const request = this.#request;
    const { log } = this.#session;
    const { notification } = reason as Partial<CancelledError>;
    const isPost =
      !notification || getProtocolEra(request) === 'stateless' || request.method === 'initialize';
    if (isPost || this.#answered || !this.#sent) {
      // Without a session, closing the POST is the cancellation (MCP 2026-07-28).
      this.end(reason);
      return;
    }
    this.#cancelServerRequests();
    this.#lingerFor(CANCELLED_LINGER_MS, reason);
    const cancelled = replaceValueAt(notification, ['params', 'requestId'], request.id.token);
    this.#session
      .notify(cancelled)
      .catch((thrown) => log('warning', `Could not cancel a request: ${getErrorMessage(thrown)}`));
  }

  /** Cancels server requests at the client when their responses are no longer needed. */
  #cancelServerRequests(): void {
    for (const request of this.#serverRequests.values()) request.abort(new CancelledError());
  }

  #lingerFor(milliseconds: number, reason?: Error): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => this.end(reason ?? new CancelledError()), milliseconds);
  }

  #noAnswer(): AgentCoreError {
    const { status, headers = {} } = this.#reply ?? {};
    const { noun } = this.#session;
    const request = this.#request;
    const data = { status, requestId: headers['x-amzn-requestid'], outcome: 'unknown' };
    if (this.#dropped) {
      const type = headers['content-type'] || 'no content type';
      return new AgentCoreError(
        'protocol',
        `The ${noun} answered ${request.method} with something that is no MCP message (${this.#dropped.reason}; HTTP ${status}, ${type}): check that it is an MCP ${noun}, and its logs`,
        { data },
      );
    }
    return new AgentCoreError(
      'connection',
      `The ${noun}'s answer ended (HTTP ${status}) without a response to ${request.method}: whether the call took effect is unknown; look at the ${noun}'s CloudWatch logs`,
      { data },
    );
  }
}

function isShutdown(thrown: unknown): thrown is AgentCoreError {
  return thrown instanceof AgentCoreError && thrown.code === 'shutdown';
}
