import { strict as assert } from 'node:assert';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';

/** What stands in for the model and the person behind a client. */
export interface Answers {
  /** Writes what a server asked the model for. */
  readonly model: (prompt: string) => string;
  /** Fills in the form that a server shows. */
  readonly user: (question: string, fields: readonly string[]) => Record<string, string | number>;
}

/** A client whose server is the proxy, started as VS Code starts it. */
export async function connect(
  name: string,
  env: Record<string, string>,
  answers?: Answers,
): Promise<Client> {
  const capabilities = answers ? { sampling: {}, elicitation: {} } : {};
  const client = new Client({ name, version: '1.0.0' }, { capabilities });
  if (answers) answer(client, answers);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['dist/proxy.js'],
    env,
    stderr: 'inherit',
  });
  await client.connect(transport);
  return client;
}

/** Calls a tool whose result is a text. */
export async function call(client: Client, name: string, args: Record<string, unknown> = {}) {
  const { content } = await client.callTool({ name, arguments: args });
  const [first] = content as { type: string; text: string }[];
  assert(first?.type === 'text', `${name} answered with no text`);
  return first.text;
}

function answer(client: Client, { model, user }: Answers): void {
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
    const [asked] = [params.messages[0]?.content].flat();
    assert(asked?.type === 'text', 'The server sampled with no text');
    const content = { type: 'text' as const, text: model(asked.text) };
    return { model: 'scripted', role: 'assistant', content };
  });
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    assert(params.mode !== 'url', 'The server sent the user to a web page');
    const fields = Object.keys(params.requestedSchema.properties);
    return { action: 'accept', content: user(params.message, fields) };
  });
}
