/**
 * A stateful MCP server as AgentCore Runtime hosts it: streamable HTTP on `/mcp`, sessions of its own.
 * On AgentCore it listens on port 8000; the local runtime tells another one by PORT.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const PORT = Number(process.env.PORT ?? 8000);
const HOST = process.env.HOST ?? '0.0.0.0';

const WEATHER = ['sunny', 'cloudy', 'rainy', 'windy', 'foggy', 'snowy'];

/** The server of one session; what it remembers, it remembers for that session alone. */
function createSession(): McpServer {
  const server = new McpServer(
    { name: 'agentcore-stateful-sample', version: '1.0.0' },
    { capabilities: { logging: {} } },
  );
  const notes: string[] = [];

  server.registerTool(
    'whoami',
    {
      description: 'Tells which microVM answers',
      annotations: { readOnlyHint: true },
    },
    ({ sessionId }) => text(`Session ${sessionId} in process ${process.pid}`),
  );

  server.registerTool(
    'get_weather',
    {
      description: 'Tells the weather of a city, the same every day',
      inputSchema: { city: z.string().min(1) },
      annotations: { readOnlyHint: true },
    },
    ({ city }) => text(`${city}: ${WEATHER[sum(city) % WEATHER.length]}, ${sum(city) % 30} °C`),
  );

  server.registerTool(
    'remember',
    {
      description: 'Keeps a note for this session',
      inputSchema: { note: z.string().min(1) },
    },
    ({ note }) => {
      notes.push(note);
      return text(`Notes of this session: ${notes.join(', ')}`);
    },
  );

  server.registerTool(
    'count_down',
    {
      description: 'Counts down to zero, and reports each step as progress',
      inputSchema: {
        from: z.number().int().min(1).max(100),
        interval: z.number().int().min(0).max(10_000).default(200).describe('Milliseconds'),
      },
      annotations: { readOnlyHint: true },
    },
    async ({ from, interval }, { sendNotification, signal, _meta }) => {
      const progressToken = _meta?.progressToken;
      for (let step = 1; step <= from; step++) {
        await delay(interval, undefined, { signal });
        if (progressToken === undefined) continue;
        await sendNotification({
          method: 'notifications/progress',
          params: { progressToken, progress: step, total: from, message: `${from - step} to go` },
        });
      }
      return text('Lift-off');
    },
  );

  return server;
}

function text(content: string) {
  return { content: [{ type: 'text' as const, text: content }] };
}

function sum(city: string): number {
  return [...city].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0);
}

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
  await createSession().connect(transport as Parameters<McpServer['connect']>[0]);
  return transport;
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.split('?')[0] !== '/mcp') {
    response.writeHead(404).end();
    return;
  }
  const transport = await transportFor(request);
  if (transport) {
    await transport.handleRequest(request, response);
    return;
  }
  const error = { code: -32001, message: 'Session not found' };
  response
    .writeHead(404, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
}

createServer((request, response) => {
  serve(request, response).catch((error: Error) => response.destroy(error));
}).listen(PORT, HOST, () => console.error(`Listening on ${HOST}:${PORT}`));

// A container is ended by SIGTERM, and nothing of a session outlives it.
process.on('SIGTERM', () => process.exit(0));
