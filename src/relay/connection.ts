import type { Readable, Writable } from 'node:stream';
import { AgentCoreError, messageOf } from '../error.ts';
import { isLongLived } from '../mcp/era.ts';
import { readLines } from '../mcp/lines.ts';
import {
  idAt,
  type Message,
  type MessageFault,
  makeNotification,
  type Notification,
  numericId,
  parseMessages,
  type Request,
  type RequestId,
  type Response,
  type Sender,
  untyped,
  withId,
  withTokenAt,
} from '../mcp/message.ts';
import { failureAnswer, faultAnswer } from './answers.ts';
import { LineWriter } from './line-writer.ts';
import { Cancelled, type Exchange, type Peer, type Trail } from './peer.ts';

/** Notifications of the other side that may wait to be passed on. */
const MOST_PASSING = 1_000;
/** Milliseconds that the last answers have to be written in. */
const WRITING_GRACE = 300;

export interface ConnectionOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** The most bytes of a message. */
  readonly messageLimit: number;
  /** The most requests of the other side that may be open at once; no more are read then. */
  readonly openLimit: number;
  /** The side of MCP that is on the streams: {@link parseMessages} is more tolerant of a server. */
  readonly otherSide: Sender;
  /** Called once when the other side reads no more. */
  readonly onOutputClosed: () => void;
  /** Told of what was dropped, for the log. */
  readonly onDropped: (what: string) => void;
}

/** A request of the other side that is being answered. */
interface Incoming {
  readonly request: Request;
  readonly abort: AbortController;
  cancelled: boolean;
}

/** A request of ours that the other side has not answered yet. */
interface Outgoing {
  readonly settle: (response: Response) => void;
  readonly fail: (error: Error) => void;
}

/**
 * An MCP conversation over a pair of byte streams, a message a line. It answers each request that
 * comes in exactly once (a cancelled one not at all) with what the peer that serves it returns, and
 * is itself the peer that stands for the other side.
 */
export class Connection implements Peer {
  readonly #options: ConnectionOptions;
  readonly #writer: LineWriter;
  readonly #incoming = new Set<Incoming>();
  readonly #outgoing = new Map<string, Outgoing>();
  #nextId = 1;
  /** Set from the end of input on: nobody answers us any more. */
  #ended: AgentCoreError | undefined;
  #onServed: (() => void) | undefined;
  /** Set while nothing is read because too many requests are open. */
  #onRoom: (() => void) | undefined;
  #passing = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#writer = new LineWriter(options.output, options.onOutputClosed);
  }

  /** Serves the other side until its input ends; requests may still be open then. */
  async serve(peer: Peer): Promise<void> {
    const { input, messageLimit, otherSide, onDropped } = this.#options;
    try {
      for await (const line of readLines(input, messageLimit)) {
        if (Buffer.isBuffer(line)) {
          for (const message of parseMessages(line, otherSide)) await this.#receive(message, peer);
        } else {
          const reason = `The message has ${line.length} bytes, more than the ${messageLimit} that fit`;
          const { id, answers } = line;
          await this.#refuse({ kind: 'fault', code: -32600, reason, id, answers });
        }
      }
    } catch (thrown) {
      // An input that breaks is one that has ended; one that we closed ourselves breaks as well.
      if (!this.#ended) onDropped(`The input broke: ${messageOf(thrown)}`);
    } finally {
      this.#end();
    }
  }

  /** @param onId Told of the id that the request has toward the other side, before it is sent. */
  async request(
    request: Request,
    exchange: Exchange,
    onId?: (id: RequestId) => void,
  ): Promise<Response> {
    if (this.#ended) throw this.#ended;
    exchange.signal.throwIfAborted();
    const id = numericId(this.#nextId++);
    onId?.(id);
    const answer = new Promise<Response>((settle, fail) => {
      this.#outgoing.set(id.key, { settle, fail });
    });
    this.#onRoom?.();
    let written = false;
    const giveUp = () => {
      const { reason } = exchange.signal;
      this.#outgoing.get(id.key)?.fail(reason);
      if (written) void this.#writer.write(cancellation(id, reason).bytes);
    };
    exchange.signal.addEventListener('abort', giveUp, { once: true });
    const write = this.#writer.write(withId(request, id).bytes, () => {
      written = !exchange.signal.aborted;
      if (written && exchange.trail) exchange.trail.mayHaveRun = true;
      return !written;
    });
    try {
      await Promise.race([answer, write]);
      return withId(await answer, request.id);
    } finally {
      exchange.signal.removeEventListener('abort', giveUp);
      this.#outgoing.delete(id.key);
    }
  }

  async notify(notification: Notification): Promise<void> {
    await this.#writer.write(notification.bytes);
  }

  /**
   * Ends the conversation: long streams at once, other open requests when they are answered, or with
   * an error after `grace` milliseconds or as soon as `hurry` aborts. Notifications are delivered in
   * that time. Resolves then, whether or not the last answers are written: see {@link flushed}.
   */
  async close(grace: number, hurry?: AbortSignal): Promise<void> {
    this.#end();
    this.#options.input.destroy();
    this.#abort((incoming) => isLongLived(incoming.request));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, hurry?.aborted ? 0 : grace);
      hurry?.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#served(), late]);
    clearTimeout(timer);
    this.#abort(() => true);
  }

  /** Resolves when all answers are written; soon in any case, since the other side may read no more. */
  async flushed(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WRITING_GRACE);
    });
    await Promise.race([this.#served(), late]);
    clearTimeout(timer);
  }

  async #served(): Promise<void> {
    while (this.#incoming.size > 0 || this.#passing > 0) {
      await new Promise<void>((resolve) => {
        this.#onServed = resolve;
      });
    }
    await this.#writer.flushed();
  }

  #abort(which: (incoming: Incoming) => boolean): void {
    const ending = new AgentCoreError(
      'shutdown',
      'The program was ended before the answer came; whether the call took effect is unknown',
    );
    for (const incoming of this.#incoming) {
      if (which(incoming)) incoming.abort.abort(ending);
    }
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = new AgentCoreError(
      'shutdown',
      'The other side has ended its output, so it cannot answer any more',
    );
    for (const { fail } of this.#outgoing.values()) fail(this.#ended);
    this.#onRoom?.();
  }

  async #receive(message: Message | MessageFault, peer: Peer): Promise<void> {
    switch (message.kind) {
      case 'fault':
        return this.#refuse(message);
      case 'response':
        return this.#settle(message);
      case 'request':
        await this.#room();
        if (this.#isFull) {
          const reason = `There are ${this.#incoming.size} open requests; wait for answers first`;
          return this.#writer.write(
            failureAnswer(message.id, new AgentCoreError('usage', reason)).bytes,
          );
        }
        void this.#answer(message, peer);
        return;
      case 'notification':
        if (message.method === 'notifications/cancelled') return this.#cancel(message);
        void this.#pass(message, peer);
    }
  }

  get #isFull(): boolean {
    return this.#incoming.size >= this.#options.openLimit;
  }

  /**
   * Resolves when another request may be open. While the other side owes us an answer, reading goes
   * on, since the requests that are open may wait for that answer.
   */
  async #room(): Promise<void> {
    while (this.#isFull && this.#outgoing.size === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
    this.#onRoom = undefined;
  }

  async #refuse(fault: MessageFault): Promise<void> {
    const meant = fault.answers && this.#outgoing.get(fault.answers.key);
    if (meant) {
      const reason = `The answer was no response (${fault.reason})`;
      meant.fail(new AgentCoreError('protocol', reason));
    }
    if (this.#options.otherSide === 'server') {
      this.#options.onDropped(`Dropped a line that is no message: ${fault.reason}`);
      // What servers print beside their messages wants no answer, but a request of theirs does.
      if (!fault.id) return;
    }
    await this.#writer.write(faultAnswer(fault).bytes);
  }

  async #answer(request: Request, peer: Peer): Promise<void> {
    const incoming: Incoming = { request, abort: new AbortController(), cancelled: false };
    this.#incoming.add(incoming);
    let answer: Response;
    const trail: Trail = { attempts: 0 };
    try {
      const { signal } = incoming.abort;
      answer = withId(await peer.request(request, { signal, back: this, trail }), request.id);
    } catch (thrown) {
      answer = failureAnswer(request.id, thrown, trail.mayHaveRun);
    }
    await this.#writer.write(answer.bytes, () => incoming.cancelled);
    this.#incoming.delete(incoming);
    this.#onRoom?.();
    this.#onServed?.();
  }

  async #pass(notification: Notification, peer: Peer): Promise<void> {
    if (this.#passing >= MOST_PASSING) {
      return this.#options.onDropped(
        `Dropped ${notification.method}: ${MOST_PASSING} notifications are waiting already`,
      );
    }
    this.#passing++;
    try {
      await peer.notify(notification, { signal: new AbortController().signal, back: this });
    } catch (thrown) {
      this.#options.onDropped(`Could not deliver ${notification.method}: ${messageOf(thrown)}`);
    } finally {
      this.#passing--;
      this.#onServed?.();
    }
  }

  #settle(response: Response): void {
    const { otherSide, onDropped } = this.#options;
    const { id } = response;
    // All ids of ours are numbers, so a server that makes text of them confuses no two.
    const outgoing = id && this.#outgoing.get(otherSide === 'server' ? untyped(id) : id.key);
    const words = response.error ? `: ${response.error.message}` : '';
    if (outgoing) outgoing.settle(response);
    else onDropped(`Dropped an answer to no open request, id ${id?.token ?? 'null'}${words}`);
  }

  #cancel(notification: Notification): void {
    const id = idAt(notification, ['params', 'requestId']);
    let found = false;
    for (const incoming of this.#incoming) {
      if (incoming.request.id.key !== id?.key) continue;
      found = true;
      incoming.cancelled = true;
      incoming.abort.abort(new Cancelled(notification));
    }
    if (!found) this.#options.onDropped(`Dropped a cancellation of no open request: ${id?.token}`);
  }
}

/** `notifications/cancelled` for a request of ours: the sender's own words where it has some. */
function cancellation(id: RequestId, reason: unknown): Notification {
  const given = reason instanceof Cancelled ? reason.notification : undefined;
  if (given) return withTokenAt(given, ['params', 'requestId'], id.token);
  return makeNotification('notifications/cancelled', {
    requestId: Number(id.token),
    reason: 'The request around it has ended',
  });
}
