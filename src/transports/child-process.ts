import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { Log } from '../base/logger.ts';
import {
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
  readIdAt,
  replaceValueAt,
} from '../mcp/message.ts';
import {
  getProtocolEra,
  PROGRESS_TOKEN,
  REQUEST_PROGRESS_TOKEN,
  withoutEmptyCursor,
} from '../mcp/protocol.ts';
import type { Peer, RequestContext } from '../relay/peer.ts';
import { StdioConnection } from './stdio.ts';

const SUBSCRIPTION_IN_PARAMS = ['params', '_meta', 'io.modelcontextprotocol/subscriptionId'];

const SUBSCRIPTION_IN_RESULT = ['result', '_meta', 'io.modelcontextprotocol/subscriptionId'];

const OPEN_LIMIT = 10_000;

interface ChildProcessTransportOptions {
  /** Returns the command that starts the server. Called at each start. */
  readonly command: () => ChildCommand;
  /** The client, for messages without an open request. */
  readonly client: Peer;
  readonly messageLimit: number;
  readonly log: Log;
}

/** A request in progress in the child process. */
interface Open {
  readonly request: JsonRpcRequest;
  readonly context: RequestContext;
  /** The request's id on the child's connection. */
  id: RequestId | undefined;
}

/** The child process and its connection, from start to exit. */
interface Running {
  readonly process: ChildProcess;
  readonly connection: StdioConnection;
}

/**
 * An MCP server in a child process, on stdio. The first message starts it. After it has exited, the
 * next `initialize` or stateless request starts it again.
 */
export class ChildProcessTransport implements Peer {
  readonly #options: ChildProcessTransportOptions;
  /** Open requests in order of arrival. */
  readonly #open = new Set<Open>();
  #running: Running | undefined;
  #failure: AgentCoreError | undefined;

  constructor(options: ChildProcessTransportOptions) {
    this.#options = options;
  }

  /** The failure if the server could not be started. `undefined` after an exit. */
  get unusable(): AgentCoreError | undefined {
    return this.#failure?.data?.started === false ? this.#failure : undefined;
  }

  get isBusy(): boolean {
    return this.#open.size > 0;
  }

  async request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse> {
    const begins = request.method === 'initialize' || getProtocolEra(request) === 'stateless';
    const { connection, process } = this.#run(begins);
    const open: Open = { request, context, id: undefined };
    this.#open.add(open);
    try {
      const response = await connection.request(request, context, (id) => {
        open.id = id;
      });
      const list = withoutEmptyCursor(request, response);
      return replaceValueAt(list, SUBSCRIPTION_IN_RESULT, request.id.token);
    } catch (thrown) {
      // The child's output has ended. Its exit has the reason.
      if (thrown instanceof AgentCoreError && thrown.code === 'shutdown') {
        throw await process.ended;
      }
      throw thrown;
    } finally {
      this.#open.delete(open);
    }
  }

  async notify(notification: JsonRpcNotification): Promise<void> {
    await this.#run(false).connection.notify(notification);
  }

  /** Stops the child process if it runs. Resolves when it has exited. */
  async stop(): Promise<void> {
    await this.#running?.process.stop();
  }

  #run(begins: boolean): Running {
    if (this.#running) return this.#running;
    if (this.#failure && !begins) throw this.#failure;
    const { command, log, messageLimit } = this.#options;
    const process = new ChildProcess(command(), log);
    const connection = new StdioConnection({
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
    // If the server has closed stdout, it cannot respond any more.
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
   * Returns the peer for messages of the child. It routes each to the sender of an open request, or
   * to the client if there is none.
   *
   * @param gone Aborts when the child has ended and no longer waits for responses.
   */
  #toClient(gone: AbortSignal): Peer {
    const { client } = this.#options;
    return {
      request: (request, context) => {
        const receiver = this.#latest()?.context.sender ?? client;
        return receiver.request(request, {
          ...context,
          signal: AbortSignal.any([context.signal, gone]),
        });
      },
      notify: (notification, context) => {
        const [open, routed] = this.#findOwner(notification);
        const receiver = open?.context.sender ?? client;
        return receiver.notify(routed, { ...context, signal: gone });
      },
    };
  }

  /** Finds the request of a notification. Returns both, with the token of the client. */
  #findOwner(notification: JsonRpcNotification): [Open | undefined, JsonRpcNotification] {
    const subscription = readIdAt(notification, SUBSCRIPTION_IN_PARAMS);
    if (subscription) {
      const open = this.#find(({ id }) => id?.key === subscription.key);
      const token = open?.request.id.token ?? subscription.token;
      return [open, replaceValueAt(notification, SUBSCRIPTION_IN_PARAMS, token)];
    }
    if (notification.method === 'notifications/progress') {
      const token = readIdAt(notification, PROGRESS_TOKEN)?.key;
      const open = this.#find(
        ({ request }) => readIdAt(request, REQUEST_PROGRESS_TOKEN)?.key === token,
      );
      return [open, notification];
    }
    return [this.#latest(), notification];
  }

  #find(matches: (open: Open) => boolean): Open | undefined {
    for (const open of this.#open) if (matches(open)) return open;
    return undefined;
  }

  /** The target of messages without a request id: on stdio, they do not name a request. */
  #latest(): Open | undefined {
    return [...this.#open].at(-1);
  }
}

/** Number and maximum length in characters of the kept lines of stderr. They explain an exit. */
const LAST_LINES = 20;

const LINE_LENGTH = 500;

/** Milliseconds from SIGTERM to SIGKILL. */
const STOP_TIMEOUT_MS = 5_000;

/** Milliseconds from the end of the child's output to SIGTERM. */
const EXIT_TIMEOUT_MS = 1_000;

interface ChildCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** A process with MCP on stdin and stdout. Logs its stderr and keeps the last lines. */
class ChildProcess {
  readonly stdin: ChildProcessWithoutNullStreams['stdin'];
  readonly stdout: ChildProcessWithoutNullStreams['stdout'];
  /** Resolves with a description when the process has exited or could not be started. */
  readonly ended: Promise<AgentCoreError>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lastLines: string[] = [];

  constructor(command: ChildCommand, log: Log) {
    const { program, args, cwd, env } = command;
    this.#process = spawn(program, args, { cwd, env, stdio: 'pipe' });
    this.stdin = this.#process.stdin;
    this.stdout = this.#process.stdout;
    // Ignore write errors: `ended` reports the reason, and later writes are lost in any case.
    this.stdin.on('error', () => undefined);
    createInterface({ input: this.#process.stderr }).on('line', (line) => {
      log('info', `[${program}] ${line}`);
      this.#lastLines.push(line.slice(0, LINE_LENGTH));
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (cause) => {
        if (this.#process.pid === undefined) resolve(this.#failure(getErrorMessage(cause), cause));
      });
      this.#process.once('close', (code, signal) => {
        resolve(this.#failure(signal ? `killed by ${signal}` : `exit code ${code}`));
      });
    });
  }

  /** False if the program could not be started. */
  get started(): boolean {
    return this.#process.pid !== undefined;
  }

  /** Called after the process has closed its output. Stops it if it does not exit in one second. */
  async endSoon(): Promise<void> {
    const timer = setTimeout(() => void this.stop(), EXIT_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Sends SIGTERM, and SIGKILL after five seconds. Resolves when the process has exited. */
  async stop(): Promise<void> {
    if (!this.started) return;
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  #failure(how: string, cause?: unknown): AgentCoreError {
    const what = this.started ? 'ended' : 'could not be started';
    const last = this.#lastLines.at(-1);
    return new AgentCoreError(
      'upstream',
      `The MCP server ${what} (${how}${last ? `; it said last: ${last}` : ''}): initialize again to start it anew, and look at its logs`,
      { cause, data: { started: this.started, stderr: [...this.#lastLines] } },
    );
  }
}
