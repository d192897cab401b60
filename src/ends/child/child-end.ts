import { AgentCoreError } from '../../error.ts';
import type { Log } from '../../log.ts';
import { eraOf } from '../../mcp/era.ts';
import {
  idAt,
  type Notification,
  type Request,
  type RequestId,
  type Response,
  withTokenAt,
} from '../../mcp/message.ts';
import { withoutEmptyCursor } from '../../mcp/pages.ts';
import { Connection } from '../../relay/connection.ts';
import type { Exchange, Peer } from '../../relay/peer.ts';
import { type ChildCommand, ChildProcess } from './child-process.ts';

const SUBSCRIPTION_IN_PARAMS = ['params', '_meta', 'io.modelcontextprotocol/subscriptionId'];
const SUBSCRIPTION_IN_RESULT = ['result', '_meta', 'io.modelcontextprotocol/subscriptionId'];
const PROGRESS_TOKEN = ['params', 'progressToken'];
const TOKEN_IN_REQUEST = ['params', '_meta', 'progressToken'];
const OPEN_LIMIT = 10_000;

export interface ChildEndOptions {
  /** Returns the server's start command. Called at each start. */
  readonly command: () => ChildCommand;
  /** The client, for messages without an open request. */
  readonly client: Peer;
  readonly messageLimit: number;
  readonly log: Log;
}

/** A request in progress in the child process. */
interface Open {
  readonly request: Request;
  readonly exchange: Exchange;
  /** The request's id on the child's connection. */
  id: RequestId | undefined;
}

interface Running {
  readonly process: ChildProcess;
  readonly connection: Connection;
}

/**
 * Server end of a relay: a child process on stdio. The first message starts it. After it has ended,
 * the next message that begins a conversation starts it again.
 */
export class ChildEnd implements Peer {
  readonly #options: ChildEndOptions;
  /** In order of arrival. */
  readonly #open = new Set<Open>();
  #running: Running | undefined;
  #failure: AgentCoreError | undefined;

  constructor(options: ChildEndOptions) {
    this.#options = options;
  }

  /** Set if the server could not be started. After an exit, it can be started again. */
  get unusable(): AgentCoreError | undefined {
    return this.#failure?.data?.started === false ? this.#failure : undefined;
  }

  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  async request(request: Request, exchange: Exchange): Promise<Response> {
    const begins = request.method === 'initialize' || eraOf(request) === 'stateless';
    const { connection, process } = this.#run(begins);
    const open: Open = { request, exchange, id: undefined };
    this.#open.add(open);
    try {
      const response = await connection.request(request, exchange, (id) => {
        open.id = id;
      });
      const list = withoutEmptyCursor(request, response);
      return withTokenAt(list, SUBSCRIPTION_IN_RESULT, request.id.token);
    } catch (thrown) {
      // The child's output has ended. Wait for its exit to report the reason.
      if (thrown instanceof AgentCoreError && thrown.code === 'shutdown') {
        throw await process.ended;
      }
      throw thrown;
    } finally {
      this.#open.delete(open);
    }
  }

  async notify(notification: Notification): Promise<void> {
    await this.#run(false).connection.notify(notification);
  }

  /** Ends the child process, if it runs. Resolves when it has exited. */
  async stop(): Promise<void> {
    await this.#running?.process.stop();
  }

  #run(begins: boolean): Running {
    if (this.#running) return this.#running;
    if (this.#failure && !begins) throw this.#failure;
    const { command, log, messageLimit } = this.#options;
    const process = new ChildProcess(command(), log);
    const connection = new Connection({
      input: process.stdout,
      output: process.stdin,
      messageLimit,
      openLimit: OPEN_LIMIT,
      otherSide: 'server',
      onOutputClosed: () => undefined,
      onDropped: (what) => log('warning', what),
    });
    const running = { process, connection };
    this.#running = running;
    this.#failure = undefined;
    const gone = new AbortController();
    // After the server closed stdout, it cannot respond any more.
    void connection.serve(this.#toClient(gone.signal)).then(() => process.endSoon());
    void process.ended.then((failure) => {
      log('warning', failure.message);
      gone.abort(failure);
      this.#failure = failure;
      if (this.#running === running) this.#running = undefined;
    });
    return running;
  }

  /**
   * Routes the child's own messages to their requests.
   *
   * @param gone Aborts when the child has ended and no longer waits for responses.
   */
  #toClient(gone: AbortSignal): Peer {
    const { client } = this.#options;
    return {
      request: (request, exchange) => {
        const back = this.#latest()?.exchange.back ?? client;
        return back.request(request, {
          ...exchange,
          signal: AbortSignal.any([exchange.signal, gone]),
        });
      },
      notify: (notification, exchange) => {
        const [open, told] = this.#owner(notification);
        const back = open?.exchange.back ?? client;
        return back.notify(told, { ...exchange, signal: gone });
      },
    };
  }

  #owner(notification: Notification): [Open | undefined, Notification] {
    const subscription = idAt(notification, SUBSCRIPTION_IN_PARAMS);
    if (subscription) {
      const open = this.#find(({ id }) => id?.key === subscription.key);
      const token = open?.request.id.token ?? subscription.token;
      return [open, withTokenAt(notification, SUBSCRIPTION_IN_PARAMS, token)];
    }
    if (notification.method === 'notifications/progress') {
      const token = idAt(notification, PROGRESS_TOKEN)?.key;
      const open = this.#find(({ request }) => idAt(request, TOKEN_IN_REQUEST)?.key === token);
      return [open, notification];
    }
    return [this.#latest(), notification];
  }

  #find(matches: (open: Open) => boolean): Open | undefined {
    for (const open of this.#open) if (matches(open)) return open;
    return undefined;
  }

  /** Other messages on stdio do not name a request, so they go to the latest one. */
  #latest(): Open | undefined {
    return [...this.#open].at(-1);
  }
}
