import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { onTestFinished } from 'vitest';
import { readConfigFile } from '../../src/local/config-file.ts';
import { type LocalRuntime, startResolved } from '../../src/local/local-runtime.ts';
import type { Line } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';

export type Sample = 'stateless' | 'stateful' | 'stateful_bridge' | 'stateless_2026';

/** What the user says to the form; another one than this declines it. */
export const ADA = { name: 'Ada', occupation: 'astronomer', age: 36 };

interface Content {
  readonly content?: unknown;
}

interface Call {
  readonly signal?: AbortSignal;
  readonly onprogress?: () => void;
}

/** An official client on a sample, with a model and a user that answer by script. */
export interface SampleClient {
  /**
   * What the server said, as it arrived: the client itself forgets progress that comes in one
   * piece with the answer.
   */
  readonly heard: Line[];
  /** What the server wanted the model to write, and the user to say. */
  readonly asked: string[];
  tools(): Promise<string[]>;
  /** The text of a tool's result. */
  call(name: string, args?: Record<string, unknown>, options?: Call): Promise<string>;
  close(): Promise<void>;
}

/** The samples on a local AgentCore, by the configuration that is shown to users. */
export async function startSamples(): Promise<LocalRuntime> {
  const config = await readConfigFile('examples/agentcore-local.yaml');
  const local = await startResolved({ ...config, port: 0 });
  onTestFinished(() => local.close());
  return local;
}

/** Connects through the proxy, as a client does that speaks the sample's era of MCP. */
export async function connect(
  local: LocalRuntime,
  sample: Sample,
  user: typeof ADA | 'declines' = ADA,
  settings: Readonly<Record<string, string>> = {},
): Promise<SampleClient> {
  const { PATH = '', HOME = '' } = process.env;
  const arn = local.runtime(sample).arn;
  const env = { PATH, HOME, ...local.env, AGENTCORE_AGENT_ARN: arn, ...settings };
  const proxy = { command: process.execPath, args: ['dist/proxy.js'], env };
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

/** How the model and the user answer what a server asks. */
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

/** The client of 2026-07-28, which says with each call from which level on it wants to hear logs. */
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

/** Writes down what arrives at a client that is connected. */
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
