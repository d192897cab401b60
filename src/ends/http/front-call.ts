import { AgentCoreError } from '../../error.ts';
import {
  type Notification,
  numericId,
  type Request,
  type Response,
  withId,
  withTokenAt,
} from '../../mcp/message.ts';
import type { Cancelled, Exchange, Peer } from '../../relay/peer.ts';
import type { PostReply } from './post-reply.ts';

/** Questions to the client that wait for its answer, by the id that it knows. */
export class Questions {
  #last = 0;
  readonly #open = new Map<string, Question>();

  ask(request: Request, call: FrontCall, signal: AbortSignal): Promise<Response> {
    const id = numericId(++this.#last);
    return new Promise<Response>((resolve, reject) => {
      const close = () => {
        signal.removeEventListener('abort', takeBack);
        this.#open.delete(id.key);
      };
      const takeBack = () => {
        close();
        reject(signal.reason);
        const { notification } = signal.reason as Partial<Cancelled>;
        if (!notification) return;
        void call.notify(withTokenAt(notification, ['params', 'requestId'], id.token));
      };
      signal.addEventListener('abort', takeBack, { once: true });
      this.#open.set(id.key, {
        call,
        answer: (response) => {
          close();
          resolve(withId(response, request.id));
        },
        fail: (error) => {
          close();
          reject(error);
        },
      });
      call.put(withId(request, id)).catch(reject);
    });
  }

  /** The question that a response answers. */
  answeredBy(response: Response): Question | undefined {
    return this.#open.get(response.id?.key ?? '');
  }

  /** Nobody will answer what was asked during a call that is over. */
  forget(call: FrontCall): void {
    const over = new AgentCoreError('connection', 'The request that this was asked for is over');
    for (const question of this.#open.values()) {
      if (question.call === call) question.fail(over);
    }
  }
}

export interface Question {
  readonly call: FrontCall;
  readonly answer: (response: Response) => void;
  readonly fail: (error: Error) => void;
}

/**
 * A request of an HTTP client while the server works on it, and the client as that request reaches
 * it: what is said meanwhile goes out on its POST.
 */
export class FrontCall implements Peer {
  readonly asked: Request;
  readonly abort = new AbortController();
  /** A client that says and hears one message a POST: a question ends the POST. */
  readonly #takesTurns: boolean;
  readonly #questions: Questions;
  #reply: PostReply;

  constructor(
    request: Request,
    options: { reply: PostReply; takesTurns: boolean; questions: Questions },
  ) {
    this.asked = request;
    this.#reply = options.reply;
    this.#takesTurns = options.takesTurns;
    this.#questions = options.questions;
  }

  request(request: Request, { signal }: Exchange): Promise<Response> {
    return this.#questions.ask(request, this, signal);
  }

  async notify(notification: Notification): Promise<void> {
    await this.#reply.say(notification);
  }

  /** Brings a question to the client. */
  async put(question: Request): Promise<void> {
    if (this.#takesTurns) return this.#reply.handOver(question);
    if (await this.#reply.say(question)) return;
    throw new AgentCoreError('connection', 'The client that would have to answer is gone');
  }

  /** The POST on which the call goes on, after the one before ended with a question. */
  continueOn(reply: PostReply): void {
    this.#reply = reply;
  }

  get takesTurns(): boolean {
    return this.#takesTurns;
  }

  answer(response: Response, status: number): Promise<void> {
    return this.#reply.answer(response, status);
  }

  forgo(): void {
    this.#reply.forgo();
  }
}
