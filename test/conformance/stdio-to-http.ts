import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';

/** The command and environment of a stdio server. */
interface StdioServer {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface StdioFront {
  readonly url: string;
  /** Closes the input of every process, as a client does. Resolves when all have exited. */
  close(): Promise<void>;
}

/** The parsed parts of a message. Its text is forwarded unchanged. */
interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: {
    readonly progressToken?: unknown;
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
}

const VERSION = 'io.modelcontextprotocol/protocolVersion';
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

/** Milliseconds. Longer than the proxy takes to exit. */
const ENDING = 15_000;

/**
 * An HTTP endpoint in front of a stdio server. Each client session gets its own process. Messages
 * of MCP 2026-07-28, which have no session, share one process, as the requests of one stdio client
 * do. A message with neither a session nor a version gets a process for itself, because stdio
 * servers choose their MCP era by the first message. Messages are forwarded unchanged. HTTP
 * features end here: only the session header is read, and every answer has status 200, also errors,
 * because stdio carries neither.
 */
export async function startStdioFront(stdioServer: StdioServer): Promise<StdioFront> {
  const sessions = new Map<string, StdioProcess>();
  const all = new Set<StdioProcess>();
  let shared: StdioProcess | undefined;

  const begin = () => {
    const started = new StdioProcess(stdioServer);
    all.add(started);
    return started;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = request.headers['mcp-session-id'];
    const session = typeof id === 'string' ? sessions.get(id) : undefined;
    if (id !== undefined && !session) return void response.writeHead(404).end();
    if (request.method === 'POST') {
      const line = oneLine(await textOf(request));
      const message: Message = JSON.parse(line);
      if (session) return session.post(line, message, response);
      if (isSessionless(message)) {
        shared ??= begin();
        return shared.post(line, message, response);
      }
      const opened = begin();
      if (message.method === 'initialize') {
        const newId = randomUUID();
        sessions.set(newId, opened);
        response.setHeader('mcp-session-id', newId);
      } else {
        response.once('close', () => void opened.end());
      }
      return opened.post(line, message, response);
    }
    if (request.method === 'GET' && session) return session.listen(response);
    if (request.method === 'DELETE' && session) {
      sessions.delete(String(id));
      await session.end();
      return void response.writeHead(200).end();
    }
    response.writeHead(405).end();
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((thrown) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(thrown));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async close() {
      server.closeAllConnections();
      server.close();
      await Promise.all([...all].map((one) => one.end()));
    },
  };
}

/** The stdio server, and the POST of each of its messages. */
class StdioProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #closed: Promise<unknown>;
  /** The POSTs that wait for their answer, newest last. */
  readonly #posts = new Map<string | number, Post>();
  /** Messages that belong to no POST, until a GET receives them. */
  readonly #waiting: string[] = [];
  #listener: ServerResponse | undefined;
  #rest = '';

  constructor({ command: [program = '', ...args], env }: StdioServer) {
    this.#child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    // A process that exits early closes its stdin during a write.
    this.#child.stdin.on('error', () => undefined);
    this.#closed = once(this.#child, 'close').then(() => {
      for (const post of this.#posts.values()) post.break();
      this.#listener?.end();
    });
  }

  post(line: string, message: Message, response: ServerResponse): void {
    const { id, method } = message;
    if (id === undefined || id === null || method === undefined) {
      this.#write(line);
      response.writeHead(202).end();
      return;
    }
    if (this.#posts.has(id)) throw new Error(`Two open requests of one process have the id ${id}`);
    this.#posts.set(id, new Post(message, response));
    response.on('close', () => {
      if (!this.#posts.delete(id) || !isSessionless(message)) return;
      // In 2026-07-28 a client cancels by closing the POST. Over stdio it sends a notification.
      const params = { requestId: id };
      const method = 'notifications/cancelled';
      this.#write(JSON.stringify({ jsonrpc: '2.0', method, params }));
    });
    this.#write(line);
  }

  listen(response: ServerResponse): void {
    this.#listener = beginEvents(response);
    response.on('close', () => {
      if (this.#listener === response) this.#listener = undefined;
    });
    for (const line of this.#waiting.splice(0)) sendEvent(response, line);
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), ENDING);
    await this.#closed;
    clearTimeout(timer);
  }

  #write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#deliver(line, JSON.parse(line));
  }

  #deliver(line: string, message: Message): void {
    const { id, method } = message;
    if (method === undefined) {
      const post = this.#posts.get(id ?? '');
      this.#posts.delete(id ?? '');
      post?.answer(line);
      return;
    }
    const post = this.#postOf(message);
    if (post) post.send(line);
    else if (this.#listener) sendEvent(this.#listener, line);
    else this.#waiting.push(line);
  }

  /** Finds the request of a message. Over stdio, only the message itself can name it. */
  #postOf({ params }: Message): Post | undefined {
    const subscription = params?._meta?.[SUBSCRIPTION];
    if (subscription !== undefined) return this.#posts.get(subscription as string | number);
    const posts = [...this.#posts.values()];
    const token = params?.progressToken;
    if (token !== undefined) return posts.find((post) => post.progressToken === token);
    return posts.at(-1);
  }
}

/** An open request. Its answer and related messages are sent as events. */
class Post {
  readonly progressToken: unknown;
  readonly #events: ServerResponse;

  constructor({ params }: Message, response: ServerResponse) {
    this.progressToken = params?._meta?.progressToken;
    this.#events = beginEvents(response);
  }

  send(line: string): void {
    sendEvent(this.#events, line);
  }

  answer(line: string): void {
    this.send(line);
    this.#events.end();
  }

  break(): void {
    this.#events.destroy();
  }
}

/** Whether the message is of MCP 2026-07-28, in which messages carry their version. */
function isSessionless({ params }: Message): boolean {
  return params?._meta?.[VERSION] !== undefined;
}

function beginEvents(response: ServerResponse): ServerResponse {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  return response;
}

function sendEvent(response: ServerResponse, line: string): void {
  response.write(`data: ${line}\n\n`);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** The same JSON on one line. A line break in JSON can only be between two tokens. */
function oneLine(json: string): string {
  return json.replaceAll(/[\r\n]+/g, ' ');
}
