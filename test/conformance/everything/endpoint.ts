import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  localhostHostValidation,
  localhostOriginValidation,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { everythingServer } from './server.ts';
import { StoredEvents } from './stored-events.ts';

/** Milliseconds after which a client may resume a closed stream. */
const RETRY = 10;

/**
 * Serves both eras of MCP on one endpoint: 2026-07-28 without sessions, earlier versions with
 * `Mcp-Session-Id` sessions.
 *
 * @param port 0 for any free port.
 */
export async function startEverything(port: number, host = '127.0.0.1'): Promise<Server> {
  const endpoint = everythingEndpoint();
  const server = createServer((request, response) => void endpoint(request, response));
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

/** The URL of the MCP endpoint of a listening server. */
export function endpointOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

function everythingEndpoint() {
  const isLocalHost = localhostHostValidation();
  const isLocalOrigin = localhostOriginValidation();
  const sessions = new Sessions();
  const stateless = createMcpHandler(() => everythingServer(stateless.notify), {
    legacy: 'reject',
  });
  const serveStateless = toNodeHandler(stateless);
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!isLocalHost(request, response) || !isLocalOrigin(request, response)) return;
    const body = await readJson(request);
    if (await isLegacyRequest(await toWebRequest(request as never, body))) {
      await sessions.serve(request, response, body);
    } else {
      await serveStateless(request as never, response, body);
    }
  };
}

/** The sessions of the handshake era, with one server for each. */
class Sessions {
  readonly #transports = new Map<string, NodeStreamableHTTPServerTransport>();

  async serve(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
    const id = request.headers['mcp-session-id'];
    const known = typeof id === 'string' ? this.#transports.get(id) : undefined;
    if (id !== undefined && !known) {
      const error = { code: -32001, message: 'Session not found' };
      response.writeHead(404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }));
      return;
    }
    await (known ?? (await this.#open())).handleRequest(request, response, body);
  }

  async #open(): Promise<NodeStreamableHTTPServerTransport> {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      eventStore: new StoredEvents(),
      retryInterval: RETRY,
      onsessioninitialized: (id) => void this.#transports.set(id, transport),
      onsessionclosed: (id) => void this.#transports.delete(id),
    });
    const server = everythingServer({
      toolsChanged: () => server.sendToolListChanged(),
      promptsChanged: () => server.sendPromptListChanged(),
    });
    await server.connect(transport);
    return transport;
  }
}

/** The JSON value of the body, or `undefined` if there is no valid JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
