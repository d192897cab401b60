import { createHash, createHmac, type Hash, type Hmac, randomUUID } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Checksum, SourceData } from '@smithy/types';
import { AgentCoreError } from '../src/base/errors.ts';
import { type McpCaller, type Message, protocolVersion } from './mcp-caller.ts';

export interface BareTarget {
  /** The invocations URL. */
  readonly url: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

class Sha256 implements Checksum {
  readonly #secret: SourceData | undefined;
  #hash: Hash | Hmac;

  constructor(secret?: SourceData) {
    this.#secret = secret;
    this.#hash = this.#fresh();
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    this.#hash = this.#fresh();
  }

  #fresh(): Hash | Hmac {
    if (this.#secret === undefined) return createHash('sha256');
    return createHmac(
      'sha256',
      typeof this.#secret === 'string' ? this.#secret : bytes(this.#secret),
    );
  }
}

/**
 * The least that any proxy has to do for a call: sign it, post it over a kept connection, parse
 * the answer. Everything is measured against this.
 */
export class BareCaller implements McpCaller {
  onNotification: McpCaller['onNotification'];
  readonly #url: URL;
  readonly #signer: SignatureV4;
  // Without a bound the burst opens a thousand connections, and takes half as long again.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #runtimeSession = randomUUID();
  #mcpSession: string | undefined;
  #lastId = 0;

  constructor(target: BareTarget) {
    this.#url = new URL(target.url);
    this.#signer = new SignatureV4({
      service: 'bedrock-agentcore',
      region: target.region,
      credentials: target,
      sha256: Sha256,
    });
  }

  async request(method: string, params: object): Promise<NonNullable<Message['result']>> {
    const id = ++this.#lastId;
    const response = await this.#post({ jsonrpc: '2.0', id, method, params });
    const session = response.headers['mcp-session-id'];
    if (typeof session === 'string') this.#mcpSession = session;
    const answer = response.headers['content-type']?.startsWith('text/event-stream')
      ? await this.#lastOfStream(response)
      : (JSON.parse(await textOf(response)) as Message);
    if (answer?.result) return answer.result;
    throw new AgentCoreError('upstream', answer?.error?.message ?? 'The runtime gave no answer');
  }

  async notify(method: string): Promise<void> {
    const response = await this.#post({ jsonrpc: '2.0', method });
    response.resume();
    if (response.statusCode !== 202) {
      throw new AgentCoreError('upstream', `${method} was answered with ${response.statusCode}`);
    }
  }

  async #post(message: object): Promise<IncomingMessage> {
    const body = JSON.stringify(message);
    const { hostname, port, pathname, host } = this.#url;
    const signed = await this.#signer.sign({
      method: 'POST',
      protocol: 'http:',
      hostname,
      path: pathname,
      query: {},
      headers: {
        host,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'content-length': String(Buffer.byteLength(body)),
        'mcp-protocol-version': protocolVersion,
        'x-amzn-bedrock-agentcore-runtime-session-id': this.#runtimeSession,
        ...(this.#mcpSession !== undefined && { 'mcp-session-id': this.#mcpSession }),
      },
      body,
    });
    return new Promise((resolve, reject) => {
      httpRequest({
        agent: this.#agent,
        method: 'POST',
        hostname,
        port,
        path: pathname,
        headers: signed.headers,
      })
        .on('response', resolve)
        .on('error', reject)
        .end(body);
    });
  }

  /** Enough SSE for the benchmark's own container: one `data:` line an event. */
  #lastOfStream(response: IncomingMessage): Promise<Message | undefined> {
    let last: Message | undefined;
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const arrivedAt = process.hrtime.bigint();
      const events = (rest + chunk).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        last = JSON.parse(event.slice(event.indexOf('data: ') + 6)) as Message;
        if (last.method !== undefined) this.onNotification?.(last, arrivedAt);
      }
    });
    return new Promise((resolve, reject) => {
      response.on('end', () => resolve(last));
      response.on('error', reject);
    });
  }
}

/** Listeners and one concatenation: a response's async iterator costs more than the parsing. */
function textOf(response: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => resolve(Buffer.concat(chunks).toString()));
    response.on('error', reject);
  });
}

function bytes(data: Exclude<SourceData, string>): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}
