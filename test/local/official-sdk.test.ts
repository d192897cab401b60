import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, onTestFinished, test } from 'vitest';
import { nodeCommand, signingFetch, start } from './harness.ts';

test('client and server of the official SDK communicate through it, with elicitation', async () => {
  const local = await start({
    official: { command: nodeCommand('official-server.ts'), sessions: 'stateful' },
  });
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: {} }));
  const transport = new StreamableHTTPClientTransport(
    new URL(local.runtime('official').invocationUrl),
    { fetch: signingFetch(local) },
  );
  onTestFinished(() => client.close());
  await client.connect(transport as Transport);
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['add', 'ask']);
  expect(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } })).toMatchObject({
    content: [{ type: 'text', text: '5' }],
  });
  expect(await client.callTool({ name: 'ask', arguments: {} })).toMatchObject({
    content: [{ type: 'text', text: 'accept' }],
  });
  expect(local.sessions()).toMatchObject([{ mcpSessionId: transport.sessionId, incarnations: 1 }]);
});
