import type { Reply } from '../../aws/post.ts';
import { AgentCoreError, messageOf } from '../../error.ts';
import type { Log } from '../../log.ts';
import { eraOf } from '../../mcp/era.ts';
import {
  idAt,
  type Message,
  type MessageFault,
  type Notification,
  type Request,
  type Response,
  untyped,
  withId,
  withTokenAt,
} from '../../mcp/message.ts';
import { failureAnswer, faultAnswer } from '../../relay/answers.ts';
import { Cancelled, type Exchange } from '../../relay/peer.ts';
import { replyMessages } from './reply-messages.ts';

/** How long a cancelled request may still send what it has to say. */
const CANCELLED_LINGER = 1_000;
/** How long the stream of an answered request may still bring something. */
const ANSWERED_LINGER = 5_000;
/** Requests of the server's own that may be open on one stream; more are refused. */
const MOST_SERVER_REQUESTS = 100;
/** Answers to no request or another one that are kept: the second one already means another. */
const MAX_MISADDRESSED = 2;

export interface OpenCallOptions {
  /** What the server is called in sentences. */
  readonly noun: string;
  /** The request under the id that the server knows. */
  readonly request: Request;
  readonly exchange: Exchange;
  readonly messageLimit: number;
  readonly log: Log;
  /** Brings a notification of the client's to the server, in the session of this call. */
  readonly tell: (notification: Notification) => Promise<void>;
  /** Does so with the client's answer to a request of the server's own; resolves with the reply. */
  readonly respond: (response: Response, signal: AbortSignal) => Promise<Reply>;
  /** Called with each request of the server's own before the client sees it. */
  readonly onServerRequest: (request: Request) => Request;
  /** True where the session is over with the call, so that nothing can be answered any more. */
  readonly endsSession: boolean;
}

/**
 * A request that the server is working on: it hands what comes on the request's stream to the
 * client, brings the client's answers back, and sees to it that all of that ends when it ends.
 */
export class OpenCall {
  readonly #options: OpenCallOptions;
  readonly #abort = new AbortController();
  readonly #serverRequests = new Map<string, AbortController>();
  readonly #serving = new Set<Promise<void>>();
  #reply: Reply | undefined;
  #linger: NodeJS.Timeout | undefined;
  #sent = false;
  #answered = false;
  /** What came in place of the answer: errors for no request, answers for another one. */
  readonly #misaddressed: Response[] = [];
  /** The first of what was dropped because it is no message. */
  #dropped: MessageFault | undefined;

  constructor(options: OpenCallOptions) {
    this.#options = options;
  }

  /** Aborts the request's POST. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** To be called when the request leaves the machine: before that nobody else knows of it. */
  sent(): void {
    this.#sent = true;
  }

  /** Ends the call at once; whoever waits for it gets `reason`. */
  end(reason: Error): void {
    this.#abort.abort(reason);
    this.#takeBackQuestions();
  }

  /**
   * Sends the request and resolves with its response; what else its stream brings is delivered
   * until the stream ends, a bounded time after the response at the latest.
   */
  async run(send: () => Promise<Reply | Response>): Promise<Response> {
    const { signal } = this.#options.exchange;
    signal.throwIfAborted();
    const giveUp = () => this.#giveUp(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    return new Promise<Response>((resolve, reject) => {
      // Whatever the work is stuck in, who waits for it is told at once.
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
    send: () => Promise<Reply | Response>,
    answer: (response: Response) => void,
  ): Promise<void> {
    try {
      const sent = await send();
      if ('kind' in sent) {
        this.#answered = true;
        return answer(sent);
      }
      this.#reply = sent;
      await this.#hear(sent, answer);
      // A server that says one message a POST has asked something, and goes on when it is answered.
      while (!this.#answered && this.#serving.size > 0) await Promise.race(this.#serving);
      this.#answerMisaddressed(answer);
      if (this.#options.endsSession) this.#takeBackQuestions();
    } catch (thrown) {
      this.#takeBackQuestions();
      throw thrown;
    } finally {
      this.#reply?.discard();
    }
  }

  async #hear(reply: Reply, answer: (response: Response) => void): Promise<void> {
    for await (const message of replyMessages(
      reply,
      this.#options.messageLimit,
      this.#options.noun,
    )) {
      if (message.kind !== 'fault') reply.onMessage();
      await this.#receive(message, answer);
    }
  }

  async #receive(
    message: Message | MessageFault,
    answer: (response: Response) => void,
  ): Promise<void> {
    const { request, exchange } = this.#options;
    switch (message.kind) {
      case 'fault':
        return this.#drop(message, answer);
      case 'response':
        if (message.id?.key !== request.id.key) return this.#keepMisaddressed(message);
        this.#answered = true;
        answer(message);
        return this.#lingerFor(ANSWERED_LINGER);
      case 'request': {
        this.#begin(this.#serve(message, answer));
        return;
      }
      case 'notification':
        if (message.method === 'notifications/cancelled') {
          const id = idAt(message, ['params', 'requestId']);
          const own = this.#serverRequests.get(id?.key ?? '');
          if (own) return own.abort(new Cancelled(message));
          // With a session it can only mean a question, and under an id that the client does not
          // know; without one, it ends the request's own subscription.
          if (eraOf(request) === 'handshake') return;
        }
        return exchange.back.notify(message, exchange);
    }
  }

  /** Goes on without what is no message: heartbeats and the like must not cost the answer. */
  #drop(fault: MessageFault, answer: (response: Response) => void): void {
    const { log, noun } = this.#options;
    // One warning a call: a heartbeat may come every second.
    const level = this.#dropped ? 'debug' : 'warning';
    this.#dropped ??= fault;
    log(level, `Dropped what the ${noun} sent, as it is no MCP message: ${fault.reason}`);
    // A request of the server's that is none is answered, or the server would wait for ever.
    if (fault.id) this.#begin(this.#respond(faultAnswer(fault), 'malformed request', answer));
  }

  /** An error for no request, or what another id answers, may be meant for this call after all. */
  #keepMisaddressed(response: Response): void {
    const { log } = this.#options;
    if (!this.#answered && this.#misaddressed.length < MAX_MISADDRESSED) {
      this.#misaddressed.push(response);
    } else {
      log('warning', `Dropped an answer to another request: id ${response.id?.token}`);
    }
  }

  /**
   * At the end of a stream without an answer: an error for no request is one to this request, as it
   * is the only one on its POST. So is a single error for another request, and a single answer whose
   * id differs in nothing but its type.
   */
  #answerMisaddressed(answer: (response: Response) => void): void {
    const { request, log } = this.#options;
    const [only, ...more] = this.#misaddressed;
    let meant: Response | undefined;
    if (!this.#answered) {
      meant = this.#misaddressed.find(({ id }) => !id);
      const isSingle = only !== undefined && more.length === 0;
      if (isSingle && (only.error || (only.id && untyped(only.id) === untyped(request.id)))) {
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

  /** Has the client answer a request of the server's own. */
  async #serve(message: Request, answer: (response: Response) => void): Promise<void> {
    // While a person makes up their mind, the server has no reason to speak.
    this.#reply?.holdClock(true);
    const response = await this.#ask(message).finally(() => this.#reply?.holdClock(false));
    if (response) await this.#respond(withId(response, message.id), message.method, answer);
  }

  /** Brings the server the answer to a request of its own, and hears what it says to that. */
  async #respond(
    response: Response,
    what: string,
    answer: (response: Response) => void,
  ): Promise<void> {
    const { respond, log, noun } = this.#options;
    let reply: Reply;
    try {
      reply = await respond(response, this.signal);
    } catch (thrown) {
      if (this.signal.aborted) return;
      // The server waits for an answer that will not come, so the call is not left to wait with it.
      const reason = `The answer to the ${noun}'s ${what} could not be delivered: ${messageOf(thrown)}`;
      log('error', reason);
      return this.end(new AgentCoreError('connection', reason, { cause: thrown }));
    }
    try {
      await this.#hear(reply, answer);
    } catch (thrown) {
      this.end(thrown as Error);
    } finally {
      reply.discard();
    }
  }

  /** What the client says to a question; `undefined` where nobody wants to know any more. */
  async #ask(message: Request): Promise<Response | undefined> {
    const { exchange, onServerRequest } = this.#options;
    if (this.#serverRequests.size >= MOST_SERVER_REQUESTS) {
      const reason = `${MOST_SERVER_REQUESTS} requests are open already; wait for answers first`;
      return failureAnswer(message.id, new AgentCoreError('usage', reason));
    }
    const abort = new AbortController();
    this.#serverRequests.set(message.id.key, abort);
    try {
      const { signal } = abort;
      return await exchange.back.request(onServerRequest(message), { ...exchange, signal });
    } catch (thrown) {
      if (thrown instanceof Cancelled) return undefined;
      if (!(thrown instanceof AgentCoreError) || thrown.code !== 'shutdown') {
        return failureAnswer(message.id, thrown);
      }
      this.end(thrown);
      return undefined;
    } finally {
      this.#serverRequests.delete(message.id.key);
    }
  }

  #giveUp(reason: Error): void {
    const { request, tell, log } = this.#options;
    const { notification } = reason as Partial<Cancelled>;
    const isPost =
      !notification || eraOf(request) === 'stateless' || request.method === 'initialize';
    if (isPost || this.#answered || !this.#sent) {
      // Closing the POST is the cancellation where there is no session (MCP 2026-07-28).
      this.end(reason);
      return;
    }
    this.#takeBackQuestions();
    this.#lingerFor(CANCELLED_LINGER, reason);
    tell(withTokenAt(notification, ['params', 'requestId'], request.id.token)).catch((thrown) =>
      log('warning', `Could not cancel a request: ${messageOf(thrown)}`),
    );
  }

  /** The client need not go on with what nobody waits for any more. */
  #takeBackQuestions(): void {
    for (const request of this.#serverRequests.values()) request.abort(new Cancelled());
  }

  #lingerFor(milliseconds: number, reason?: Error): void {
    clearTimeout(this.#linger);
    this.#linger = setTimeout(() => this.end(reason ?? new Cancelled()), milliseconds);
  }

  #noAnswer(): AgentCoreError {
    const { status, headers = {} } = this.#reply ?? {};
    const { noun, request } = this.#options;
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
