import { AgentCoreError } from '../../error.ts';
import {
  type Message,
  type Notification,
  numericId,
  type Request,
  type Response,
  withId,
  withTokenAt,
} from '../../mcp/message.ts';
import type { Cancelled, Exchange, Peer } from '../../relay/peer.ts';
import type { Outbox } from './outbox.ts';
import type { PostReply } from './post-reply.ts';

/** A person may have to answer, but no server waits for ever for a client that is gone. */
const MAX_ANSWER_TIME_MS = 10 * 60_000;

/** Questions to the client that wait for its answer, by the id that it knows. */
export class Questions {
  #last = 0;
  readonly #open = new Map<string, Question>();
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  ask(request: Request, call: FrontCall, signal: AbortSignal): Promise<Response> {
    const id = numericId(++this.#last);
    return new Promise<Response>((resolve, reject) => {
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
        // A client that takes turns still owes a POST, which the call goes on with.
        if (!call.takesTurns) close();
        const { notification } = signal.reason as Partial<Cancelled>;
        if (!notification) return;
        void this.#tell(call, withTokenAt(notification, ['params', 'requestId'], id.token));
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

  /** The question that a response answers. */
  answeredBy(response: Response): Question | undefined {
    return this.#open.get(response.id?.key ?? '');
  }

  /**
   * To be called when a request of the client is over. On stdio nothing shows which request of the
   * client a question belongs to, so a client can still answer what this one carried.
   */
  release(call: FrontCall): void {
    for (const question of this.#open.values()) if (question.call === call) question.expire();
  }

  /** Fails what a call carried that its client has cancelled. */
  forget(call: FrontCall): void {
    const over = new AgentCoreError('connection', 'The request that this was asked for is over');
    for (const question of this.#open.values()) if (question.call === call) question.fail(over);
  }

  async #tell(call: FrontCall, notification: Notification): Promise<void> {
    if (await call.say(notification)) return;
    const { signal } = new AbortController();
    await this.#outbox.notify(notification, { signal, back: call });
  }
}

export interface Question {
  readonly call: FrontCall;
  readonly answer: (response: Response) => void;
  readonly fail: (error: Error) => void;
  /** Starts the time that the client still has. */
  readonly expire: () => void;
}

export interface FrontCallOptions {
  readonly reply: PostReply;
  /** A client that says and hears one message a POST: a question ends the POST. */
  readonly takesTurns: boolean;
  readonly questions: Questions;
  /** What cannot go out on the POST of this call. */
  readonly outbox: Outbox;
}

/**
 * A request of an HTTP client while the server works on it, and the client as that request reaches
 * it: what is said meanwhile goes out on its POST.
 */
export class FrontCall implements Peer {
  readonly asked: Request;
  readonly abort = new AbortController();
  readonly takesTurns: boolean;
  readonly #questions: Questions;
  readonly #outbox: Outbox;
  #reply: PostReply;
  /** Until the client has sent the POST that answers a question. */
  #turnOfClient: { readonly over: Promise<void>; readonly end: () => void } | undefined;

  constructor(request: Request, { reply, takesTurns, questions, outbox }: FrontCallOptions) {
    this.asked = request;
    this.#reply = reply;
    this.takesTurns = takesTurns;
    this.#questions = questions;
    this.#outbox = outbox;
  }

  request(request: Request, exchange: Exchange): Promise<Response> {
    // Its client has closed the POST, but may send another one.
    if (this.#reply.isOver && !this.takesTurns) return this.#outbox.request(request, exchange);
    return this.#questions.ask(request, this, exchange.signal);
  }

  async notify(notification: Notification, exchange: Exchange): Promise<void> {
    if (this.#reply.isOver) return this.#outbox.notify(notification, exchange);
    await this.say(notification);
  }

  /** False if the POST of the call cannot carry the message. */
  say(message: Message): Promise<boolean> {
    return this.#reply.say(message);
  }

  /** Brings a question to the client. */
  async put(question: Request): Promise<void> {
    if (this.takesTurns) {
      // No await between the check and the next turn: several questions may wait here.
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

  /** The POST on which the call goes on, after the one before ended with a question. */
  continueOn(reply: PostReply): void {
    this.#reply = reply;
    this.#turnOfClient?.end();
    this.#turnOfClient = undefined;
  }

  async answer(response: Response, status: number): Promise<void> {
    while (this.#turnOfClient) await this.#turnOfClient.over;
    return this.#reply.answer(response, status);
  }

  forgo(): void {
    this.#reply.forgo();
  }
}
