/**
 * A stateful MCP server as AgentCore Runtime hosts it: streamable HTTP on `/mcp`, sessions of its
 * own, and so a client that it can ask.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { listen } from '../sample-tools/listen.ts';
import { statefulSample } from '../sample-tools/stateful-sample.ts';

const sessions = new Map<string, StreamableHTTPServerTransport>();

async function transportFor(
  request: IncomingMessage,
): Promise<StreamableHTTPServerTransport | undefined> {
  const id = request.headers['mcp-session-id'];
  if (id !== undefined) return sessions.get(String(id));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (sessionId) => {
      sessions.set(sessionId, transport);
    },
  });
  transport.onclose = () => {
    if (transport.sessionId) sessions.delete(transport.sessionId);
  };
  const server = statefulSample('agentcore-stateful-sample');
  await server.connect(transport as Parameters<McpServer['connect']>[0]);
  return transport;
}

listen(async (request, response) => {
  const transport = await transportFor(request);
  if (transport) {
    await transport.handleRequest(request, response);
    return;
  }
  const error = { code: -32001, message: 'Session not found' };
  response
    .writeHead(404, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
});
