/**
 * What runs in each microVM of the benchmark's runtime: a stateless MCP server on PORT, at /mcp, as
 * fast as node:http is. Ends with its stdin, and so with whoever started it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { largeTexts } from './large-result.ts';
import { protocolVersion } from './mcp-caller.ts';

type Id = number | string;

interface Call {
  readonly id?: Id;
  readonly method?: string;
  readonly params?: {
    readonly name?: string;
    readonly arguments?: Readonly<Record<string, unknown>>;
    readonly _meta?: { readonly progressToken?: Id };
  };
}

const tools = ['echo', 'sleep', 'ticks', 'large'].map((name) => ({
  name,
  description: `The benchmark's ${name}`,
  inputSchema: { type: 'object' },
}));

const largeText = largeTexts();

function serve(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url !== '/mcp') response.writeHead(404).end();
    else if (request.method !== 'POST') response.writeHead(405, { allow: 'POST' }).end();
    else answer(JSON.parse(Buffer.concat(chunks).toString()) as Call, response);
  });
}

function answer(call: Call, response: ServerResponse): void {
  const { id, method } = call;
  if (id === undefined || method === undefined) {
    response.writeHead(202).end();
    return;
  }
  switch (method) {
    case 'initialize':
      sendJson(
        response,
        resultOf(id, {
          protocolVersion,
          capabilities: { tools: {} },
          serverInfo: { name: 'bench-container', version: '1.0.0' },
        }),
      );
      return;
    case 'ping':
      sendJson(response, resultOf(id, {}));
      return;
    case 'tools/list':
      sendJson(response, resultOf(id, { tools }));
      return;
    case 'tools/call':
      callTool(id, call.params ?? {}, response);
      return;
    default: {
      const error = { code: -32601, message: `Method not found: ${method}` };
      sendJson(response, { jsonrpc: '2.0', id, error });
    }
  }
}

function callTool(id: Id, params: NonNullable<Call['params']>, response: ServerResponse): void {
  const args = params.arguments ?? {};
  switch (params.name) {
    case 'sleep':
      setTimeout(() => sendJson(response, textResult(id, 'slept')), Number(args.ms));
      return;
    case 'ticks':
      sendTicks(
        response,
        id,
        params._meta?.progressToken,
        Number(args.events),
        Number(args.everyMs),
      );
      return;
    case 'large':
      sendLarge(response, id, Number(args.bytes));
      return;
    default:
      sendJson(response, textResult(id, String(args.text)));
  }
}

function sendTicks(
  response: ServerResponse,
  id: Id,
  progressToken: Id | undefined,
  total: number,
  everyMs: number,
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  let progress = 0;
  const timer = setInterval(() => {
    if (progress === total) {
      clearInterval(timer);
      response.end(eventOf(textResult(id, 'ticked')));
      return;
    }
    progress++;
    // The clock goes into `message`: the one free field that a validating proxy lets through.
    const message = String(process.hrtime.bigint());
    const params = { progressToken, progress, total, message };
    response.write(eventOf({ jsonrpc: '2.0', method: 'notifications/progress', params }));
  }, everyMs);
  response.on('close', () => clearInterval(timer));
}

function sendLarge(response: ServerResponse, id: Id, characters: number): void {
  const [head = '', tail = ''] = JSON.stringify(textResult(id, '')).split('""');
  const text = largeText(characters);
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', head.length + text.length + tail.length);
  response.write(head);
  response.write(text);
  response.end(tail);
}

function sendJson(response: ServerResponse, message: object): void {
  const body = Buffer.from(JSON.stringify(message));
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', body.length);
  response.end(body);
}

function eventOf(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`;
}

function textResult(id: Id, text: string): object {
  return resultOf(id, { content: [{ type: 'text', text }] });
}

function resultOf(id: Id, result: object): object {
  return { jsonrpc: '2.0', id, result };
}

const server = createServer(serve);
// A connection that the server closed while its client idled would be measured as a slow call.
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.env.PORT), host: '127.0.0.1', backlog: 4096 });
process.stdin.on('end', () => process.exit()).resume();
