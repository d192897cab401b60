import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientOptions,
  type JSONRPCMessage,
  ReadBuffer,
  type RequestOptions,
  serializeMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import packageJson from '../../package.json' with { type: 'json' };
import { PAYLOAD_LIMIT } from '../aws/endpoints.ts';
import { withTimeout } from '../base/async.ts';
import type { Environment } from '../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import type { JsonObject } from '../mcp/message.ts';
import { readPages } from '../mcp/protocol.ts';
import { readProxySettings } from '../programs/proxy-settings.ts';

// An MCP client for the proxy: the transport that runs the proxy, the client over it, and the list
// of a runtime's tools.

/**
 * Milliseconds until the proxy is killed. If the proxy still stops its session, it exits within
 * nine seconds.
 */
const EXIT_TIMEOUT_MS = 12_000;

/** Maximum characters of the proxy's stderr in memory. The last ones are kept. */
const STDERR_LIMIT = 16_384;

/**
 * Runs the proxy in a child process, as a client does. Unlike the transport of the MCP SDK, it
 * waits for the exit of the proxy and reports its outcome.
 */
class ProxyTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: <T extends JSONRPCMessage>(message: T) => void;
  readonly #program: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #buffer = new ReadBuffer({ maxBufferSize: PAYLOAD_LIMIT });
  #child: ChildProcess | undefined;
  #exited: Promise<string | undefined> = Promise.resolve(undefined);
  #stderr = '';
  #isEnding = false;

  /** @param program Path of `proxy.js`. */
  constructor(program: string, env: NodeJS.ProcessEnv) {
    this.#program = program;
    this.#env = env;
  }

  /** The last part of the proxy's stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  /** True after {@link end} was called. False if the proxy has exited by itself. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.#program], {
      env: this.#env,
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      child.once('error', ({ message }) => resolve(`The proxy did not start: ${message}`));
      child.once('close', (code, signal) => {
        resolve(code === 0 ? undefined : `The proxy ended with ${signal ?? `exit code ${code}`}`);
        this.onclose?.();
      });
    });
    // If the proxy exits early, its stdin is closed, and writes fail.
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.stdout.on('data', (bytes: Buffer) => this.#read(bytes));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_LIMIT);
    });
  }

  async send(message: JSONRPCMessage): Promise<void> {
    this.#child?.stdin?.write(serializeMessage(message));
  }

  async close(): Promise<void> {
    // The MCP client closes the transport after a failed connect. {@link end} has the outcome of
    // the exit.
    await this.end().catch(() => undefined);
  }

  /**
   * Closes the proxy's stdin and waits for its exit. Kills the proxy after the timeout.
   *
   * @throws {AgentCoreError} `shutdown`, with the reason, if the exit code is not 0 or the proxy
   *   was killed.
   */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#child?.stdin?.end();
    const fault = await withTimeout(this.#exited, EXIT_TIMEOUT_MS, () => {
      this.#child?.kill('SIGKILL');
      const reason = `The proxy did not exit within ${EXIT_TIMEOUT_MS / 1000} s and was killed`;
      return new AgentCoreError('shutdown', reason);
    });
    if (fault) throw new AgentCoreError('shutdown', fault);
  }

  #read(bytes: Buffer): void {
    try {
      this.#buffer.append(bytes);
      for (;;) {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        // Pass one message per turn of the event loop. Otherwise, the MCP client handles a response
        // before the notification ahead of it, and drops the last progress.
        setImmediate(() => this.onmessage?.(message));
      }
    } catch (thrown) {
      this.onerror?.(thrown as Error);
    }
  }
}

/** The program and the client information of a {@link ProxyClient}. */
interface ProxyClientOptions extends ClientOptions {
  /** The client's name in `initialize`. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** Path of `proxy.js`. Default: next to this program. */
  readonly program?: string;
}

/** An MCP client whose server is the proxy, in a child process. */
export class ProxyClient extends Client {
  readonly #proxy: ProxyTransport;
  /** Rejects with the proxy's stderr if the proxy exits by itself. */
  readonly #exit: Promise<never>;

  constructor({ name, env, program = resolveProxyPath(), ...options }: ProxyClientOptions) {
    super({ name, version: packageJson.version }, options);
    const proxy = new ProxyTransport(program, env);
    this.#proxy = proxy;
    // Before `connect`, because the client then calls this `onclose` handler too. A later one would
    // replace the client's handler.
    this.#exit = new Promise((_, reject) => {
      proxy.onclose = () => {
        // If the client gives up, it first ends the proxy and then throws the reason.
        if (proxy.isEnding) return;
        const reason = proxy.stderr.trim() || 'The proxy ended before it answered';
        reject(new AgentCoreError('connection', reason));
      };
    });
    this.#exit.catch(() => undefined);
  }

  /** The last part of the proxy's stderr. */
  get stderr(): string {
    return this.#proxy.stderr;
  }

  /**
   * Starts the proxy, and initializes.
   *
   * @throws {AgentCoreError} `connection`, with the proxy's stderr, if the proxy exits.
   */
  start(options: RequestOptions): Promise<void> {
    return this.untilExit(this.connect(this.#proxy, options));
  }

  /** Rejects with the proxy's stderr if the proxy exits before the work is done. */
  untilExit<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#exit]);
  }

  /** Ends the proxy as {@link ProxyTransport.end} does. */
  end(): Promise<void> {
    return this.#proxy.end();
  }
}

/** Milliseconds. Without warm capacity, a microVM starts in about 20 seconds. */
export const STEP_TIMEOUT_MS = 60_000;

/**
 * Lists the tools of a runtime through the proxy. Ignores the policies of `AGENTCORE_POLICY`,
 * because `policy init` is going to write them.
 *
 * @param runtime ARN of the runtime. Default: from the environment.
 * @throws {AgentCoreError} `usage` if the proxy would reject the settings, `connection` if the
 *   tools could not be listed.
 */
export async function listTools(
  runtime: string | undefined,
  env: Environment,
): Promise<JsonObject[]> {
  const { AGENTCORE_POLICY: _, ...rest } = env;
  const proxyEnv = { ...rest, ...(runtime !== undefined && { AGENTCORE_AGENT_ARN: runtime }) };
  // Validate first, so invalid settings are not reported as an exit of the proxy.
  readProxySettings(proxyEnv);
  const client = new ProxyClient({ name: 'agentcore-mcp', env: proxyEnv });
  const options = { timeout: STEP_TIMEOUT_MS };
  try {
    await client.start(options);
    const tools: JsonObject[] = [];
    const read = (cursor: string | undefined) =>
      client.request(
        { method: 'tools/list', params: cursor === undefined ? {} : { cursor } },
        options,
      );
    for await (const page of readPages(read, ({ nextCursor }) => nextCursor)) {
      tools.push(...(page.tools as unknown as JsonObject[]));
    }
    return tools;
  } catch (cause) {
    const said = client.stderr.trim() || getErrorMessage(cause);
    throw new AgentCoreError('connection', `Could not list the tools: ${said}`, { cause });
  } finally {
    await client.close();
  }
}

/**
 * `proxy.js` is in the same directory or, from a chunk, one directory up. From source, it is in
 * `dist`.
 */
function resolveProxyPath(): string {
  const places = ['./proxy.js', '../proxy.js', '../../dist/proxy.js'];
  const paths = places.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found) return found;
  throw new AgentCoreError('config', `Could not find proxy.js: ${paths.join(', ')}`);
}
