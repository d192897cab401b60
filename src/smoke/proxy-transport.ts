import { type ChildProcess, spawn } from 'node:child_process';
import {
  type JSONRPCMessage,
  ReadBuffer,
  serializeMessage,
  type Transport,
} from '@modelcontextprotocol/client';
import { PAYLOAD_LIMIT } from '../aws/payload-limit.ts';
import { AgentCoreError } from '../error.ts';

/** A proxy that still ends its session is gone within nine seconds. */
const END_TIMEOUT = 12_000;
/** How much of what the proxy says on stderr is kept, in characters. */
const STDERR_LIMIT = 16_384;

/**
 * The proxy in a process of its own, as a client starts it. Unlike the SDK's transport it waits for
 * the proxy's own ending, and tells how that went.
 */
export class ProxyTransport implements Transport {
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

  /** @param program The path of `proxy.js`. */
  constructor(program: string, env: NodeJS.ProcessEnv) {
    this.#program = program;
    this.#env = env;
  }

  /** What the proxy has said on stderr, the end of it where that was much. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Whether somebody here has asked it to end; else it ends by itself. */
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
    // A proxy that ends early closes its stdin under what is being written.
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
    // The client closes what could not be connected; whoever wants to know how it ended asks `end`.
    await this.end().catch(() => undefined);
  }

  /**
   * Ends the proxy's input and waits for the proxy to be gone, which is killed when that takes too
   * long.
   *
   * @throws {AgentCoreError} with how it ended, where that was not in order.
   */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.#child?.stdin?.end();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        this.#child?.kill('SIGKILL');
        resolve(`The proxy was not gone after ${END_TIMEOUT / 1000} s and was killed`);
      }, END_TIMEOUT);
    });
    const fault = await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (fault) throw new AgentCoreError('shutdown', fault);
  }

  #read(bytes: Buffer): void {
    try {
      this.#buffer.append(bytes);
      for (;;) {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        // The client looks at an answer before the notification that came just ahead of it, and
        // drops the last progress then; a turn for each message keeps them in order.
        setImmediate(() => this.onmessage?.(message));
      }
    } catch (thrown) {
      this.onerror?.(thrown as Error);
    }
  }
}
