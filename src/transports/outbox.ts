import { AgentCoreError } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  type JsonRpcMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readIdAt,
} from '../mcp/message.ts';
import type { Peer, RequestContext } from '../relay/peer.ts';

/** Bounds of all stored messages together, and of the waiting time of each in milliseconds. */
const MAX_WAITING_MESSAGES = 256;

const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export const MAX_WAIT_MS = 60_000;

/** A server message until the client sends a POST. */
interface WaitingMessage {
  readonly message: JsonRpcMessage;
  /** Sends the message on a call's POST. */
  readonly deliver: (call: Peer) => void;
  /** Discards the message. */
  readonly drop: (reason: AgentCoreError) => void;
}

/**
 * The peer for server messages between client requests. Over HTTP the server cannot reach the
 * client then, so messages wait for the stream of the next client request. Their number, size and
 * waiting time are bounded.
 */
export class Outbox implements Peer {
  readonly #log: Log;
  /** Oldest first. */
  readonly #waiting = new Set<WaitingMessage>();
  #bytes = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    return new Promise<JsonRpcResponse>((resolve, reject) => {
      this.#add(request, context.signal, {
        deliver: (call) => void call.request(request, context).then(resolve, reject),
        drop: reject,
      });
    });
  }

  /** Resolves at once: a server that waits for delivery could not answer the client's request. */
  async notify(notification: JsonRpcNotification, context: RequestContext): Promise<void> {
    if (isRequestScoped(notification)) {
      this.#log('debug', `${notification.method} belongs to no open request`);
      return;
    }
    this.#add(notification, context.signal, {
      deliver: (call) => void call.notify(notification, context).catch(() => undefined),
      drop: ({ message }) => this.#log('warning', message),
    });
  }

  /** Sends waiting messages on a call's POST, oldest first. */
  deliverTo(call: Peer): void {
    for (const { deliver } of [...this.#waiting]) deliver(call);
  }

  #add(
    message: JsonRpcRequest | JsonRpcNotification,
    signal: AbortSignal,
    { deliver, drop }: Pick<WaitingMessage, 'deliver' | 'drop'>,
  ): void {
    if (signal.aborted) {
      drop(signal.reason);
      return;
    }
    const remove = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', cancel);
      if (this.#waiting.delete(waiting)) this.#bytes -= message.bytes.length;
    };
    const timer = setTimeout(
      () =>
        waiting.drop(
          createDeliveryError(message, `the client sent no request within ${MAX_WAIT_MS / 1000} s`),
        ),
      MAX_WAIT_MS,
    );
    const waiting: WaitingMessage = {
      message,
      deliver: (call) => {
        remove();
        deliver(call);
      },
      drop: (reason) => {
        remove();
        drop(reason);
      },
    };
    const cancel = () => {
      remove();
      // The server cancelled the request or has ended, so no warning is needed.
      if (message.kind === 'request') drop(signal.reason);
    };
    signal.addEventListener('abort', cancel, { once: true });
    this.#log('debug', `${message.method} waits for the client's next request`);
    this.#waiting.add(waiting);
    this.#bytes += message.bytes.length;
    this.#makeRoom(waiting);
  }

  /** Drops the oldest notifications first, then the new message. */
  #makeRoom(last: WaitingMessage): void {
    const isOver = () =>
      this.#waiting.size > MAX_WAITING_MESSAGES || this.#bytes > MAX_WAITING_BYTES;
    if (!isOver()) return;
    if (last.message.bytes.length > MAX_WAITING_BYTES) {
      const megabytes = MAX_WAITING_BYTES / 1024 / 1024;
      last.drop(
        createDeliveryError(last.message, `more than ${megabytes} MB cannot wait for a request`),
      );
      return;
    }
    const reason = `${MAX_WAITING_MESSAGES} messages or ${MAX_WAITING_BYTES / 1024 / 1024} MB wait for the client's next request already`;
    for (const each of [...this.#waiting, last]) {
      if (!isOver()) return;
      if (each.message.kind === 'notification' || each === last) {
        each.drop(createDeliveryError(each.message, reason));
      }
    }
  }
}

function createDeliveryError(message: JsonRpcMessage, cause: string): AgentCoreError {
  const method = 'method' in message ? message.method : 'a response';
  return new AgentCoreError(
    'timeout',
    `Could not deliver ${method}: ${cause}. Send it while a request of the client is open.`,
  );
}

/** True if the notification has no meaning after the end of its request. */
function isRequestScoped(notification: JsonRpcNotification): boolean {
  return (
    notification.method === 'notifications/progress' ||
    readIdAt(notification, ['params', '_meta', 'io.modelcontextprotocol/subscriptionId']) !==
      undefined
  );
}
