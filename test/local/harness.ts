import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Checksum, SourceData } from '@smithy/types';
import { onTestFinished } from 'vitest';
import type { LocalConfig, RuntimeInput } from '../../src/local/config/schema.ts';
import {
  type LocalRuntime,
  type LocalRuntimeOptions,
  startLocalRuntime,
} from '../../src/local/local-runtime.ts';

export const RUNTIME_SESSION = 'x-amzn-bedrock-agentcore-runtime-session-id';

/** Never issued, and long enough for a runtime session id. */
export const INVENTED_ID = 'invented-0123456789-0123456789-0123456789';

export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** The command of a fixture server. */
export function nodeCommand(name: string): string[] {
  return [process.execPath, '--disable-warning=ExperimentalWarning', fixture(name)];
}

type Settings = Partial<Omit<RuntimeInput, 'command' | 'protocol' | 'path'>>;

export function statelessMcp(settings: Settings = {}): RuntimeInput {
  return { command: nodeCommand('mcp-server.ts'), ...settings };
}

export function statefulMcp(settings: Settings = {}): RuntimeInput {
  return {
    command: nodeCommand('mcp-server.ts'),
    sessions: 'stateful',
    ...settings,
    env: { SESSIONS: 'stateful', ...settings.env },
  };
}

export function httpAgent(settings: Settings = {}): RuntimeInput {
  return { protocol: 'HTTP', command: nodeCommand('http-agent.ts'), ...settings };
}

/** A local runtime that is closed after the test. */
export async function start(
  runtimes: Readonly<Record<string, RuntimeInput>>,
  more: Omit<LocalConfig, 'runtimes'> = {},
  options: LocalRuntimeOptions = {},
): Promise<LocalRuntime> {
  const local = await startLocalRuntime({ ...more, runtimes }, options);
  onTestFinished(() => local.close());
  return local;
}

/** SHA-256 in the interface of the signer. */
class Sha256 implements Checksum {
  readonly #secret: SourceData | undefined;
  #hash: Hash | Hmac;
  constructor(secret?: SourceData) {
    this.#secret = secret;
    this.#hash = newHash(secret);
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    this.#hash = newHash(this.#secret);
  }
}

function newHash(secret: SourceData | undefined): Hash | Hmac {
  if (secret === undefined) return createHash('sha256');
  return createHmac(
    'sha256',
    typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array),
  );
}

export interface Signing {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  readonly region?: string;
  readonly service?: string;
  readonly at?: Date;
}

/** `fetch` with a signature of the AWS signer. */
export function signingFetch(local: LocalRuntime, signing: Signing = {}) {
  const signer = new SignatureV4({
    credentials: { ...local.credentials, ...signing },
    region: signing.region ?? local.region,
    service: signing.service ?? 'bedrock-agentcore',
    sha256: Sha256,
  });
  return async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input);
    const headers = Object.fromEntries(new Headers(init.headers));
    const signed = await signer.sign(
      {
        method: init.method ?? 'GET',
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: { ...headers, host: url.host },
        body: init.body,
      },
      signing.at ? { signingDate: signing.at } : {},
    );
    return fetch(url, { ...init, headers: signed.headers });
  };
}

/** The fields that tests read of a JSON-RPC answer, a REST error and an agent's answer. */
interface Json {
  readonly id?: string | number | null;
  readonly result?: {
    readonly content?: readonly { readonly text: string }[];
    readonly serverInfo?: unknown;
  };
  readonly error?: { readonly code: number; readonly message: string };
  readonly message?: string;
  readonly invocations?: number;
  readonly session?: string;
}

export interface Sent {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON, or empty if it is not JSON. */
  readonly json: Json;
}

export type Post = (
  message: unknown,
  headers?: Readonly<Record<string, string>>,
  init?: RequestInit,
) => Promise<Response>;

/** Posts signed messages to a runtime like an MCP client. */
export function poster(local: LocalRuntime, runtime: string, signing: Signing = {}): Post {
  const signed = signingFetch(local, signing);
  const { invocationUrl } = local.runtime(runtime);
  return (message, headers = {}, init = {}) =>
    signed(invocationUrl, {
      method: 'POST',
      ...init,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
}

export async function read(pending: Promise<Response> | Response): Promise<Sent> {
  const response = await pending;
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return {};
  }
}

export const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  },
};

export function toolCall(name: string, args: Readonly<Record<string, unknown>> = {}, id = 2) {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

/** The text of a tool's result. */
export function toolText(sent: Sent): string {
  return sent.json.result?.content?.[0]?.text ?? '';
}

/** Opens a session with `initialize`. The returned headers contain the issued id. */
export async function openSession(post: Post): Promise<{ 'mcp-session-id': string }> {
  const { headers } = await read(post(INITIALIZE));
  return { 'mcp-session-id': headers.get('mcp-session-id') ?? '' };
}

/** Whether a process exists. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined || pid <= 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
