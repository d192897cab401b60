import type { Readable, Writable } from 'node:stream';
import { runInSlices, waitUntilSettled, withAbort } from '../base/async.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import {
  createNotification,
  createRequestId,
  getUntypedId,
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  readIdAt,
  readMessages,
  replaceValueAt,
  type Sender,
  withId,
} from '../mcp/message.ts';
import { isSubscriptionRequest } from '../mcp/protocol.ts';
import { readStdioMessages } from '../mcp/stdio-framing.ts';
import {
  CancelledError,
  createContext,
  type Peer,
  type RequestContext,
  toErrorResponse,
  toInvalidMessageResponse,
} from '../relay/peer.ts';

/** Maximum notifications of the other side in delivery. Further ones are dropped. */
const MAX_UNSETTLED = 1_000;

/** Milliseconds to write the last responses. */
const WRITE_TIMEOUT_MS = 300;

export interface StdioConnectionOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** Maximum size of a message in bytes. */
  readonly messageLimit: number;
  /** Maximum open requests of the other side. At the maximum, reading pauses. */
  readonly openLimit: number;
  /** The MCP role of the other side. {@link readMessages} is more tolerant of a server. */
  readonly otherSide: Sender;
  /** Called once when the other side stops reading. */
  readonly onOutputClosed: () => void;
  /** Called with a description of each dropped message. */
  readonly onDropped: (what: string) => void;
}

/** An open request from the other side. */
interface Incoming {
  readonly request: JsonRpcRequest;
  readonly abort: AbortController;
  cancelled: boolean;
}

/** A request to the other side without a response yet. */
interface Outgoing {
  readonly settle: (response: JsonRpcResponse) => void;
  readonly fail: (error: Error) => void;
}

/**
 * An MCP conversation over a pair of byte streams, with one message per line. For the relay, it is
 * the other side as a peer. It passes each incoming request to the serving peer and writes exactly
 * one response, or none if the request was cancelled.
 */
export class StdioConnection implements Peer {
  readonly #options: StdioConnectionOptions;
  readonly #writer: MessageWriter;
  readonly #incoming = new Set<Incoming>();
  readonly #outgoing = new Map<string, Outgoing>();
  #nextId = 1;
  /** Set at the end of input: no more responses can arrive. */
  #ended: AgentCoreError | undefined;
  #onServed: (() => void) | undefined;
  /** Set while reading is paused because too many requests are open. */
  #onRoom: (() => void) | undefined;
  #passing = 0;

  constructor(options: StdioConnectionOptions) {
    this.#options = options;
    this.#writer = new MessageWriter(options.output, options.onOutputClosed);
  }

  /**
   * Passes the other side's messages to a peer. Resolves at the end of input. Requests may still be
   * open then.
   */
  async serve(peer: Peer): Promise<void> {
    const { input, messageLimit, otherSide, onDropped } = this.#options;
    try {
      for await (const line of readStdioMessages(input, messageLimit)) {
        if (Buffer.isBuffer(line)) {
          const messages = await runInSlices(readMessages(line, otherSide));
          for (const message of messages) await this.#receive(message, peer);
        } else {
          const reason = `The message has ${line.length} bytes, more than the ${messageLimit} that fit`;
          const { id, answers } = line;
          await this.#refuse({ kind: 'fault', code: -32600, reason, id, answers });
        }
      }
    } catch (thrown) {
      // A broken input counts as ended. If `close()` destroyed it, the error is expected.
      if (!this.#ended) onDropped(`The input broke: ${getErrorMessage(thrown)}`);
    } finally {
      this.#end();
    }
  }

  /** @param onId Called with the request's id on this connection, before the request is sent. */
  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    onId?: (id: RequestId) => void,
  ): Promise<JsonRpcResponse> {
    if (this.#ended) throw this.#ended;
    context.signal.throwIfAborted();
    const id = createRequestId(this.#nextId++);
    onId?.(id);
    const answer = new Promise<JsonRpcResponse>((settle, fail) => {
      this.#outgoing.set(id.key, { settle, fail });
    });
    this.#onRoom?.();
    let written = false;
    const giveUp = () => {
      const { reason } = context.signal;
      this.#outgoing.get(id.key)?.fail(reason);
      if (written) void this.#writer.write(createCancelledNotification(id, reason).bytes);
    };
    context.signal.addEventListener('abort', giveUp, { once: true });
    const write = this.#writer.write(withId(request, id).bytes, () => {
      written = !context.signal.aborted;
      if (written) context.call.mayHaveRun = true;
      return !written;
    });
    try {
      await Promise.race([answer, write]);
      return withId(await answer, request.id);
    } finally {
      context.signal.removeEventListener('abort', giveUp);
      this.#outgoing.delete(id.key);
    }
  }

  async notify(notification: JsonRpcNotification): Promise<void> {
    await this.#writer.write(notification.bytes);
  }

  /**
   * Ends the conversation. Subscriptions end at once. Other open requests and notifications have
   * `grace` milliseconds, or until `hurry` aborts. Then the requests get an error. Does not wait
   * until the last responses are written: see {@link flushed}.
   */
  async close(grace: number, hurry?: AbortSignal): Promise<void> {
    this.#end();
    this.#options.input.destroy();
    this.#abort((incoming) => isSubscriptionRequest(incoming.request));
    const served = this.#served();
    await waitUntilSettled(hurry ? withAbort(served, hurry) : served, grace);
    this.#abort(() => true);
  }

  /**
   * Resolves when all responses are written, or after 300 ms if the other side does not read.
   */
  async flushed(): Promise<void> {
    await waitUntilSettled(this.#served(), WRITE_TIMEOUT_MS);
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

  async #receive(message: JsonRpcMessage | InvalidMessage, peer: Peer): Promise<void> {
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
            toErrorResponse(message.id, new AgentCoreError('usage', reason)).bytes,
          );
        }
        void this.#answer(message, peer);
        return;
      case 'notification':
        if (message.method === 'notifications/cancelled') return this.#cancel(message);
        void this.#pass(message, peer);
    }
  }

  /** Direction of incoming messages. */
  get #direction(): RequestContext['direction'] {
    return this.#options.otherSide === 'client' ? 'to-server' : 'to-client';
  }

  get #isFull(): boolean {
    return this.#incoming.size >= this.#options.openLimit;
  }

  /**
   * Resolves when another request may open. Reading continues beyond the maximum while the other
   * side owes a response, because the open requests may depend on it.
   */
  async #room(): Promise<void> {
    while (this.#isFull && this.#outgoing.size === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
    this.#onRoom = undefined;
  }

  async #refuse(fault: InvalidMessage): Promise<void> {
    const meant = fault.answers && this.#outgoing.get(fault.answers.key);
    if (meant) {
      const reason = `The answer was no response (${fault.reason})`;
      meant.fail(new AgentCoreError('protocol', reason));
    }
    if (this.#options.otherSide === 'server') {
      this.#options.onDropped(`Dropped a line that is no message: ${fault.reason}`);
      // Only an invalid request needs a response. Other output of a server does not.
      if (!fault.id) return;
    }
    await this.#writer.write(toInvalidMessageResponse(fault).bytes);
  }

  async #answer(request: JsonRpcRequest, peer: Peer): Promise<void> {
    const incoming: Incoming = { request, abort: new AbortController(), cancelled: false };
    this.#incoming.add(incoming);
    let answer: JsonRpcResponse;
    const context = createContext(this.#direction, { signal: incoming.abort.signal, sender: this });
    try {
      answer = withId(await peer.request(request, context), request.id);
    } catch (thrown) {
      answer = toErrorResponse(request.id, thrown, context.call.mayHaveRun);
    }
    await this.#writer.write(answer.bytes, () => incoming.cancelled);
    this.#incoming.delete(incoming);
    this.#onRoom?.();
    this.#onServed?.();
  }

  async #pass(notification: JsonRpcNotification, peer: Peer): Promise<void> {
    if (this.#passing >= MAX_UNSETTLED) {
      return this.#options.onDropped(
        `Dropped ${notification.method}: ${MAX_UNSETTLED} notifications are waiting already`,
      );
    }
    this.#passing++;
    try {
      await peer.notify(notification, createContext(this.#direction, { sender: this }));
    } catch (thrown) {
      this.#options.onDropped(
        `Could not deliver ${notification.method}: ${getErrorMessage(thrown)}`,
      );
    } finally {
      this.#passing--;
      this.#onServed?.();
    }
  }

  #settle(response: JsonRpcResponse): void {
    const { otherSide, onDropped } = this.#options;
    const { id } = response;
    // All our ids are numbers, so a server may return them as strings without ambiguity.
    const outgoing = id && this.#outgoing.get(otherSide === 'server' ? getUntypedId(id) : id.key);
    const words = response.error ? `: ${response.error.message}` : '';
    if (outgoing) outgoing.settle(response);
    else onDropped(`Dropped an answer to no open request, id ${id?.token ?? 'null'}${words}`);
  }

  #cancel(notification: JsonRpcNotification): void {
    const id = readIdAt(notification, ['params', 'requestId']);
    let found = false;
    for (const incoming of this.#incoming) {
      if (incoming.request.id.key !== id?.key) continue;
      found = true;
      incoming.cancelled = true;
      incoming.abort.abort(new CancelledError(notification));
    }
    if (!found) this.#options.onDropped(`Dropped a cancellation of no open request: ${id?.token}`);
  }
}

/**
 * Creates the `notifications/cancelled` for a request of ours. If the sender sent one, it is kept,
 * with our id.
 */
function createCancelledNotification(id: RequestId, reason: unknown): JsonRpcNotification {
  const given = reason instanceof CancelledError ? reason.notification : undefined;
  if (given) return replaceValueAt(given, ['params', 'requestId'], id.token);
  return createNotification('notifications/cancelled', {
    requestId: Number(id.token),
    reason: 'The request around it has ended',
  });
}

const LINE_FEED = Buffer.from('\n');

/** Size in bytes below which one write of a copy costs less than two writes. */
const WORTH_COPYING = 16 * 1024;

/**
 * Writes one message per line at the reader's pace. At most one message waits in the stream; the
 * others wait with their senders.
 */
class MessageWriter {
  readonly #output: Writable;
  #waiting: (() => void)[] = [];
  #closed = false;

  /** @param onClosed Called once when the stream closes or fails. */
  constructor(output: Writable, onClosed: () => void) {
    this.#output = output;
    const close = () => {
      if (this.#closed) return;
      this.#closed = true;
      this.#release();
      onClosed();
    };
    // If the reader has closed the stream, drop all later messages. This is not an error.
    output.on('error', close);
    output.on('close', close);
    output.on('drain', () => this.#release());
  }

  /**
   * Waits until the stream accepts more, then writes.
   *
   * @param isStale Called right before the write. If it returns true, the message is dropped.
   */
  async write(bytes: Buffer, isStale: () => boolean = () => false): Promise<void> {
    while (!this.#closed && this.#output.writableNeedDrain) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#closed || isStale()) return;
    if (bytes.length < WORTH_COPYING) {
      this.#output.write(Buffer.concat([bytes, LINE_FEED]));
      return;
    }
    this.#output.cork();
    this.#output.write(bytes);
    this.#output.write(LINE_FEED);
    this.#output.uncork();
  }

  /** Resolves when all written bytes have left the process, or when the stream is closed. */
  async flushed(): Promise<void> {
    while (!this.#closed && this.#output.writableLength > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#output.write('', () => resolve());
      });
    }
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
