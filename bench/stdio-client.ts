import type { ChildProcess } from 'node:child_process';
import { AgentCoreError } from '../src/base/errors.ts';
import type { McpCaller, Message } from './mcp-caller.ts';

const newline = 0x0a;
const stderrKept = 2000;

interface OpenRequest {
  readonly resolve: (result: NonNullable<Message['result']>) => void;
  readonly reject: (error: AgentCoreError) => void;
}

/**
 * MCP over a child's stdio with as little as possible in between, so that what is measured is
 * the child. A request of the server's own is refused.
 */
export class StdioClient implements McpCaller {
  onNotification: McpCaller['onNotification'];
  readonly #child: ChildProcess;
  readonly #open = new Map<number, OpenRequest>();
  #lastId = 0;
  #partial: Buffer[] = [];
  #stderr = '';
  #failure: AgentCoreError | undefined;

  /** All three of the child's streams must be pipes. */
  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrKept);
    });
    // A write to a child that is gone; `close` tells of it.
    child.stdin?.on('error', () => {});
    child.on('error', (error) => this.#fail(error.message));
    child.on('close', (code, signal) => this.#fail(`it ended with ${signal ?? `code ${code}`}`));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  request(method: string, params: object): Promise<NonNullable<Message['result']>> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#open.set(id, { resolve, reject });
      this.#write({ jsonrpc: '2.0', id, method, params });
    });
  }

  async notify(method: string): Promise<void> {
    this.#write({ jsonrpc: '2.0', method });
  }

  #write(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  #read(chunk: Buffer): void {
    const arrivedAt = process.hrtime.bigint();
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(newline, start);
      if (end < 0) break;
      this.#partial.push(chunk.subarray(start, end));
      const line = this.#partial.length === 1 ? this.#partial[0] : Buffer.concat(this.#partial);
      this.#partial = [];
      start = end + 1;
      if (line !== undefined && line.length > 0) this.#receive(line.toString(), arrivedAt);
    }
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
  }

  #receive(line: string, arrivedAt: bigint): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      this.#fail(`it wrote a line that is not JSON: ${line.slice(0, 200)}`);
      return;
    }
    const { id, method, result, error } = message;
    if (method !== undefined && id !== undefined) {
      this.#write({ jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } });
    } else if (method !== undefined) {
      this.onNotification?.(message, arrivedAt);
    } else if (id !== undefined) {
      const request = this.#open.get(id);
      this.#open.delete(id);
      if (result) request?.resolve(result);
      else request?.reject(new AgentCoreError('upstream', error?.message ?? 'an empty answer'));
    }
  }

  #fail(reason: string): void {
    const words = this.#stderr.trim();
    const error = new AgentCoreError('connection', words ? `${reason}: ${words}` : reason);
    this.#failure ??= error;
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }
}
