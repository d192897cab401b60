import { AgentCoreError } from '../../error.ts';
import {
  createRequestId,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  replaceValueAt,
  withId,
} from '../../mcp/message.ts';
import type { CancelledError, Peer, RequestContext } from '../../relay/peer.ts';
import type { Outbox } from './outbox.ts';
import type { HttpServerReply } from './post-reply.ts';

/**
 * Milliseconds. A person may have to answer, but the server must not wait for ever if the client
 * has gone.
 */
const MAX_ANSWER_TIME_MS = 10 * 60_000;

/** The server's open requests to the client, by their id at the client. */
export class PendingServerRequests {
  #last = 0;
  readonly #open = new Map<string, Question>();
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

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
        // With one message per POST, the client still owes a POST, and the call continues on it.
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
  answeredBy(response: JsonRpcResponse): Question | undefined {
    return this.#open.get(response.id?.key ?? '');
  }

  /**
   * Called when a client request ends. On stdio, a server request does not name its client request.
   * The client may therefore still answer the server requests of this call.
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
    const { signal } = new AbortController();
    await this.#outbox.notify(notification, { signal, sender: call });
  }
}

interface Question {
  readonly call: HttpServerCall;
  readonly answer: (response: JsonRpcResponse) => void;
  readonly fail: (error: Error) => void;
  /** Starts the remaining time for the client to respond. */
  readonly expire: () => void;
}

interface HttpServerCallOptions {
  readonly reply: HttpServerReply;
  /**
   * True if the client sends and receives one message per POST. A server request then ends the
   * POST.
   */
  readonly takesTurns: boolean;
  readonly questions: PendingServerRequests;
  /** Receives messages if the POST of this call cannot carry them. */
  readonly outbox: Outbox;
}

/**
 * An open request of an HTTP client. It is also the client's peer for the request: server messages
 * go out on the request's POST.
 */
export class HttpServerCall implements Peer {
  readonly asked: JsonRpcRequest;
  readonly abort = new AbortController();
  readonly takesTurns: boolean;
  readonly #questions: PendingServerRequests;
  readonly #outbox: Outbox;
  #reply: HttpServerReply;
  /** Set until the client has sent the POST with the response to a server request. */
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
    // The client has closed the POST but may send another one.
    if (this.#reply.isOver && !this.takesTurns) return this.#outbox.request(request, context);
    return this.#questions.ask(request, this, context.signal);
  }

  async notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    if (this.#reply.isOver) return this.#outbox.notify(notification, context);
    await this.say(notification);
  }

  /** Returns false if the call's POST cannot carry the message. */
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
