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
  /** How the server is started; asked anew at each start. */
  readonly command: () => ChildCommand;
  /** The client while no request of its own is open. */
  readonly client: Peer;
  readonly messageLimit: number;
  readonly log: Log;
}

/** A request that the child is working on. */
interface Open {
  readonly request: Request;
  readonly exchange: Exchange;
  /** The id under which the child knows it. */
  id: RequestId | undefined;
}

interface Running {
  readonly process: ChildProcess;
  readonly connection: Connection;
}

/**
 * The server of a relay that is a child process on stdio. It is started by the first message, and
 * once it has ended, by the next one that begins a conversation.
 */
export class ChildEnd implements Peer {
  readonly #options: ChildEndOptions;
  /** In the order in which they came. */
  readonly #open = new Set<Open>();
  #running: Running | undefined;
  #failure: AgentCoreError | undefined;

  constructor(options: ChildEndOptions) {
    this.#options = options;
  }

  /** Why no server can be started; one that has ended can be started again. */
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
      // Its output has ended, and in a moment it will be known why.
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

  /** Ends the child, if there is one. Resolves when it is gone. */
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
    // Whoever closes stdout will never answer again.
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
   * Hands what the child says on its own to the request that it belongs to.
   *
   * @param gone Aborts when the child has ended: nobody waits for its answers then.
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

  /** On stdio nothing says what else belongs to which request, so the latest one carries it. */
  #latest(): Open | undefined {
    return [...this.#open].at(-1);
  }
}
