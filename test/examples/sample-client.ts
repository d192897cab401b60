import { readFileSync } from 'node:fs';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { parseConfig } from '../../src/local/config/config-file.ts';
import { type LocalRuntime, startResolved } from '../../src/local/local-runtime.ts';
import { proxyCommand } from '../fixtures/proxied-runtime.ts';
import type { Line } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';

export type Sample = 'stateless' | 'stateful' | 'stateful_bridge' | 'stateless_2026';

/** The user's answer to the form. Any other request is declined. */
export const ADA = { name: 'Ada', occupation: 'astronomer', age: 36 };

interface Content {
  readonly content?: unknown;
}

interface Call {
  readonly signal?: AbortSignal;
  readonly onprogress?: () => void;
}

/** An official client connected to a sample, with a scripted model and a scripted user. */
export interface SampleClient {
  /**
   * The server messages in order. The client itself drops progress that arrives together with the
   * answer.
   */
  readonly heard: Line[];
  /** The prompts of the server's sampling and elicitation requests. */
  readonly asked: string[];
  tools(): Promise<string[]>;
  /** The text of a tool's result. */
  call(name: string, args?: Record<string, unknown>, options?: Call): Promise<string>;
  close(): Promise<void>;
}

/** The samples on a local AgentCore, with the configuration from the documentation. */
export async function startSamples(): Promise<LocalRuntime> {
  const file = 'examples/agentcore-local.yaml';
  const config = parseConfig(readFileSync(file, 'utf8'), file);
  const local = await startResolved({ ...config, port: 0 });
  onTestFinished(() => local.close());
  return local;
}

/** Connects through the proxy with a client of the sample's MCP era. */
export async function connect(
  local: LocalRuntime,
  sample: Sample,
  user: typeof ADA | 'declines' = ADA,
  settings: Readonly<Record<string, string>> = {},
): Promise<SampleClient> {
  const proxy = proxyCommand(local, settings, sample);
  const asked: string[] = [];
  const script: Script = {
    model({ messages }) {
      asked.push(textOf(messages[0] ?? {}));
      const content = { type: 'text', text: 'Once upon a time.' } as const;
      return { model: 'scripted', role: 'assistant', content };
    },
    user({ message }) {
      asked.push(message);
      return user === 'declines' ? { action: 'decline' } : { action: 'accept', content: user };
    },
  };
  const client = await (sample === 'stateless_2026' ? connectModern : connectOfficial)(
    proxy,
    script,
  );
  return endWithTest({ asked, ...client }, () => client.close());
}

/** The scripted answers of the model and the user to server requests. */
interface Script {
  model(asked: { messages: readonly Content[] }): {
    model: string;
    role: 'assistant';
    content: { type: 'text'; text: string };
  };
  user(asked: {
    message: string;
  }): { action: 'accept'; content: typeof ADA } | { action: 'decline' };
}

type Connected = Omit<SampleClient, 'asked'>;
type Proxy = ConstructorParameters<typeof StdioClientTransport>[0];

const CAPABILITIES = { sampling: {}, elicitation: {} };

/** The client of the handshake era. */
async function connectOfficial(proxy: Proxy, { model, user }: Script): Promise<Connected> {
  const client = new Client({ name: 'official', version: '1' }, { capabilities: CAPABILITIES });
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => model(params));
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => user(params));
  const transport = new StdioClientTransport(proxy);
  await client.connect(transport);
  return {
    heard: listenTo(transport),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      textOf((await client.callTool({ name, arguments: args }, undefined, options)) as Content),
    close: () => client.close(),
  };
}

/** The client of 2026-07-28, which sends its log level with each call. */
async function connectModern(proxy: Proxy, { model, user }: Script): Promise<Connected> {
  const client = new ModernClient(
    { name: 'modern', version: '1' },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: { pin: '2026-07-28' } } },
  );
  client.setRequestHandler('sampling/createMessage', ({ params }) => model(params));
  client.setRequestHandler('elicitation/create', ({ params }) => user(params));
  const transport = new ModernStdio(proxy);
  await client.connect(transport);
  const _meta = { 'io.modelcontextprotocol/logLevel': 'info' };
  return {
    heard: listenTo(transport),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args = {}, options = {}) =>
      textOf(await client.callTool({ name, arguments: args, _meta }, options)),
    close: () => client.close(),
  };
}

/** Records all messages of a connected client. */
function listenTo(transport: { onmessage?: ((message: never) => void) | undefined }): Line[] {
  const heard: Line[] = [];
  const deliver = transport.onmessage;
  transport.onmessage = (message) => {
    heard.push(message);
    deliver?.(message);
  };
  return heard;
}

function textOf({ content }: Content): string {
  const blocks = [content].flat() as { text?: string }[];
  return blocks[0]?.text ?? '';
}
