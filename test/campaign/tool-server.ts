// The MCP server of the campaign, for both eras. It records each execution of a tool in the file
// EXECUTIONS before it does the work, and answers afterwards. SESSIONS is `stateful` if it issues
// session ids, `stateless` if it stores nothing, `remembering` if it stores which clients have
// initialized. STRANGERS sets the error for an unknown client.
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { TOOLS } from './tools.ts';

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Arguments;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

interface Arguments {
  readonly key?: string;
  readonly region?: string;
  /** Makes the server reject the call before it does anything. */
  readonly wrong?: boolean;
  /** Whether the answer is a stream. */
  readonly stream?: boolean;
}

const executions = process.env.EXECUTIONS ?? '';
const sessions = process.env.SESSIONS;
const strangers = process.env.STRANGERS;
const known = new Set<string>();
/** Callbacks for the client's answers to server requests, by request id. */
const asked = new Map<string, (action: string) => void>();

/** Maximum time for a client's answer to a server request, in milliseconds. */
const PATIENCE = 3_000 * Number(process.env.SLOWNESS ?? 1);

createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  await handle(JSON.parse(body), request, response);
}).listen(Number(process.env.PORT), process.env.HOST);
// A campaign that is killed during the start of this process could not stop it otherwise.
process.stdin.once('end', () => process.exit()).resume();

async function handle(
  message: Message & { readonly result?: { readonly action?: string } },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const version = message.params?._meta?.['io.modelcontextprotocol/protocolVersion'];
  const isSessionless = version !== undefined;
  const session = String(request.headers['mcp-session-id']);
  if (message.method === 'initialize') return initialize(message, session, response);
  if (!isSessionless && sessions !== 'stateless' && !known.has(session)) {
    return turnAway(message, response);
  }
  if (message.id === undefined || message.method === undefined) {
    asked.get(String(message.id))?.(message.result?.action ?? 'error');
    response.writeHead(202).end();
    return;
  }
  switch (message.method) {
    case 'server/discover':
      return answer(message, response, {
        supportedVersions: [version],
        capabilities: { tools: {} },
        serverInfo: { name: 'campaign', version: '1' },
      });
    case 'tools/list':
      return answer(message, response, { tools: TOOLS });
    case 'tools/call':
      return call(message, request, response, isSessionless);
    default:
      return send(response, 200, { id: message.id, error: { code: -32601, message: 'No method' } });
  }
}

function initialize(message: Message, session: string, response: ServerResponse): void {
  const id = sessions === 'stateful' ? randomUUID() : session;
  known.add(id);
  if (sessions === 'stateful') response.setHeader('mcp-session-id', id);
  answer(message, response, {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {} },
    serverInfo: { name: 'campaign', version: '1' },
  });
}

/** Answers like a server that was never initialized, or does not know the session. */
function turnAway({ id = null }: { readonly id?: unknown }, response: ServerResponse): void {
  const refuse = (status: number, code: number, message: string) =>
    send(response, status, { id: status === 200 ? id : null, error: { code, message } });
  if (strangers === 'not-initialized') refuse(400, -32000, 'Bad Request: Server not initialized');
  else if (strangers === 'invalid-params') refuse(200, -32602, 'Invalid request parameters');
  else refuse(404, -32001, 'Session not found');
}

async function call(
  message: Message,
  request: IncomingMessage,
  response: ServerResponse,
  isSessionless: boolean,
): Promise<void> {
  const { name, arguments: args = {} } = message.params ?? {};
  const { key = '', region = '' } = args;
  if (args.wrong) {
    const error = { code: -32602, message: `Invalid arguments for ${name}` };
    return send(response, 200, { id: message.id, error });
  }
  if (isSessionless && name === 'add' && request.headers['mcp-param-region'] !== region) {
    const error = { code: -32020, message: 'Header mismatch: Mcp-Param-Region' };
    return send(response, 400, { id: message.id, error });
  }
  const line = JSON.stringify({ key, tool: name, process: process.pid, at: Date.now() });
  appendFileSync(executions, `${line}\n`);
  const text = name === 'ask' ? await ask(key, response) : key;
  if (name === 'slow') await reportProgress(message, response);
  else if (args.stream) begin(response);
  answer(message, response, { content: [{ type: 'text', text: `${key} ${text}` }] });
}

/** Sends a request to the client on the stream of its call. */
async function ask(key: string, response: ServerResponse): Promise<string> {
  begin(response);
  const id = `ask-${randomUUID()}`;
  const action = new Promise<string>((resolve) => asked.set(id, resolve));
  const requestedSchema = { type: 'object', properties: {} };
  event(response, { id, method: 'elicitation/create', params: { message: key, requestedSchema } });
  const heard = await Promise.race([action, delay(PATIENCE, 'nobody', { ref: false })]);
  asked.delete(id);
  return heard;
}

async function reportProgress(message: Message, response: ServerResponse): Promise<void> {
  begin(response);
  const progressToken = message.params?._meta?.progressToken;
  for (let progress = 1; progress <= 4; progress += 1) {
    if (progressToken !== undefined) {
      event(response, { method: 'notifications/progress', params: { progressToken, progress } });
    }
    await delay(20);
  }
}

function begin(response: ServerResponse): void {
  if (response.headersSent) return;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

function answer(message: Message, response: ServerResponse, result: object): void {
  if (response.headersSent) {
    event(response, { id: message.id, result });
    response.end();
  } else {
    send(response, 200, { id: message.id, result });
  }
}

function event(response: ServerResponse, message: object): void {
  response.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`);
}

function send(response: ServerResponse, status: number, message: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', ...message }));
}
