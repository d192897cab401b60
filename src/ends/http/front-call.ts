import { AgentCoreError } from '../../error.ts';
import {
  type Notification,
  numericId,
  type Request,
  type Response,
  withId,
} from '../../mcp/message.ts';
import type { Exchange, Peer } from '../../relay/peer.ts';
import type { PostReply } from './post-reply.ts';

/** Questions to the client that wait for its answer, by the id that it knows. */
export class Questions {
  #last = 0;
  readonly #open = new Map<string, Question>();

  ask(request: Request, call: FrontCall, signal: AbortSignal): Promise<Response> {
    const id = numericId(++this.#last);
    return new Promise<Response>((resolve, reject) => {
      const giveUp = () => {
        this.#open.delete(id.key);
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#open.set(id.key, {
        call,
        answer: (response) => {
          signal.removeEventListener('abort', giveUp);
          this.#open.delete(id.key);
          resolve(withId(response, request.id));
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
    for (const [key, question] of this.#open) {
      if (question.call === call) this.#open.delete(key);
    }
  }
}

export interface Question {
  readonly call: FrontCall;
  readonly answer: (response: Response) => void;
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
