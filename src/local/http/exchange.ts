import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RuntimeConfig } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { SignatureFault } from '../core/events.ts';
import { type RequestRecord, sanitizeHeaders, sanitizeQuery } from '../core/history.ts';
import {
  type Answer,
  createMcpErrorResponse,
  createRestErrorResponse,
  createStatusResponse,
  type JsonRpcId,
  type PlatformError,
} from './errors.ts';

// One HTTP request with its response, error formats for it, and checks that apply to all services.

export interface RequestBody {
  readonly bytes: Buffer;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** One request, its response and its log record. */
export class HttpExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  /** The query, without the question mark. */
  readonly query: string;
  readonly record: RequestRecord;
  /**
   * Additional headers for complete responses of the platform. Forwarded responses of containers do
   * not get them.
   */
  extraHeaders: Readonly<Record<string, string>> = {};

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    clock: Clock,
    closed: (record: RequestRecord) => void,
  ) {
    this.request = request;
    this.response = response;
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark < 0 ? url : url.slice(0, mark);
    this.query = mark < 0 ? '' : url.slice(mark + 1);
    const record: RequestRecord = {
      id: randomUUID(),
      at: clock.now(),
      method: request.method ?? '',
      path: this.path,
      query: sanitizeQuery(this.query),
      headers: sanitizeHeaders(request.headers),
      operation: undefined,
      runtime: undefined,
      rpcMethod: undefined,
      tool: undefined,
      rpcId: undefined,
      requestBytes: 0,
      status: undefined,
      pid: undefined,
      fault: undefined,
      refusal: undefined,
      outcome: 'open',
      durationMs: undefined,
    };
    this.record = record;
    response.once('close', () => {
      if (record.outcome === 'open') {
        record.outcome = response.writableFinished ? 'answered' : 'disconnected';
      }
      record.durationMs = clock.now() - record.at;
      closed(record);
    });
  }

  get headers(): IncomingMessage['headers'] {
    return this.request.headers;
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** A decoded query parameter. */
  parameter(name: string): string | undefined {
    return this.query === '' ? undefined : (new URLSearchParams(this.query).get(name) ?? undefined);
  }

  /** Whether the client has closed the connection. */
  get disconnected(): boolean {
    return this.response.closed;
  }

  /** Whether the response has started or was cut, or the client has disconnected. */
  get settled(): boolean {
    return this.response.headersSent || this.response.closed || this.record.outcome !== 'open';
  }

  /** Headers of every response. */
  platformHeaders(): Record<string, string> {
    const headers: Record<string, string> = { 'x-amzn-RequestId': this.record.id };
    headers['X-Amzn-Trace-Id'] = this.header('x-amzn-trace-id') ?? createTraceId(this.record.at);
    for (const name of ['traceparent', 'tracestate', 'baggage']) {
      const value = this.header(name);
      if (value !== undefined) headers[name] = value;
    }
    return headers;
  }

  /** Writes the status and the headers. */
  begin(status: number, headers: Readonly<Record<string, string | number>>): void {
    this.record.status = status;
    this.response.writeHead(status, headers);
  }

  /** Sends a complete response. Does nothing if a response has started or is no longer possible. */
  answer({ status, headers, body }: Answer): void {
    if (this.settled) return;
    const bytes = Buffer.from(body);
    this.begin(status, {
      ...this.platformHeaders(),
      ...this.extraHeaders,
      ...headers,
      'Content-Length': bytes.length,
    });
    this.response.end(bytes);
  }

  /** Closes the connection after the bytes written so far. The response remains incomplete. */
  cut(): void {
    if (this.response.closed) return;
    this.record.outcome = 'cut';
    const { socket } = this.response;
    if (socket) socket.destroySoon();
    else this.response.destroy();
  }

  /** Sends a TCP reset. */
  reset(): void {
    if (this.response.closed) return;
    this.record.outcome = 'cut';
    const { socket } = this.response;
    if (!socket) this.response.destroy();
    // libuv cannot reset a socket after its FIN was sent. Node would never close the socket then.
    else if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
  }

  /**
   * Reads the whole body. Returns `too-large` if it has more than `maxBytes`, `disconnected` if it
   * is incomplete.
   */
  readBody(maxBytes: number): Promise<RequestBody | 'too-large' | 'disconnected'> {
    const { request } = this;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const hash = createHash('sha256');
      let length = 0;
      request.on('data', (chunk: Buffer) => {
        length += chunk.length;
        // Read and drop the rest, so the client can read the response.
        if (length > maxBytes) {
          chunks.length = 0;
          resolve('too-large');
          return;
        }
        hash.update(chunk);
        chunks.push(chunk);
      });
      request.once('end', () => {
        this.record.requestBytes = length;
        const [only] = chunks;
        const bytes = chunks.length === 1 && only ? only : Buffer.concat(chunks);
        if (length <= maxBytes) resolve({ bytes, sha256: hash.digest('hex') });
      });
      request.once('close', () => resolve('disconnected'));
      request.once('error', () => resolve('disconnected'));
    });
  }
}

function createTraceId(at: number): string {
  const seconds = Math.floor(at / 1000)
    .toString(16)
    .padStart(8, '0');
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')}`;
}

/** The format of errors: JSON-RPC errors for MCP runtimes, HTTP statuses for all other requests. */
export interface Dialect {
  /** The JSON-RPC id of the request. `null` if it has none. */
  readonly id: JsonRpcId;
  error(error: PlatformError): Answer;
  signature(fault: SignatureFault, message: string): Answer;
}

const SIGNATURE_TYPES: Readonly<Record<SignatureFault, string>> = {
  missing: 'MissingAuthenticationTokenException',
  incomplete: 'IncompleteSignatureException',
  'unknown-key': 'UnrecognizedClientException',
  'expired-token': 'ExpiredTokenException',
  invalid: 'InvalidSignatureException',
};

/** Errors of AWS REST-JSON, for HTTP runtimes and for all operations except an invocation. */
export const REST_DIALECT: Dialect = {
  id: null,
  error: createStatusResponse,
  signature: (fault, message) => createRestErrorResponse(403, SIGNATURE_TYPES[fault], message),
};

/** Returns the error format of an invocation. */
export function createInvocationDialect(
  config: Pick<RuntimeConfig, 'protocol' | 'switches'>,
  id: JsonRpcId,
): Dialect {
  const { mcpErrors, mcpSignatureErrors, throttleText } = config.switches;
  const isMcp = config.protocol === 'MCP';
  return {
    id,
    error: (error) => {
      const text = error.kind === 'throttled' && throttleText ? throttleText : error.message;
      if (!isMcp || mcpErrors === 'status')
        return createStatusResponse({ ...error, message: text });
      // MCP callers get the documented message, unless a switch sets another one.
      return createMcpErrorResponse(error, id, error.kind === 'throttled' ? throttleText : '');
    },
    signature: (fault, message) => {
      if (!isMcp || mcpSignatureErrors === 'status') return REST_DIALECT.signature(fault, message);
      return createMcpErrorResponse({ kind: mcpSignatureErrors, message }, id);
    },
  };
}

const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1']);

/**
 * Rejects requests of foreign web pages: a cross-origin `Origin`, or a `Host` with another name
 * (DNS rebinding). The local sign-in pages have the same origin, so their requests pass.
 *
 * @returns the response, or `undefined` if the request is allowed.
 */
export function rejectForeignRequest(exchange: HttpExchange): Answer | undefined {
  const host = exchange.header('host');
  const hostname = host === undefined ? 'localhost' : URL.parse(`http://${host}`)?.hostname;
  if (!LOCAL_NAMES.has(hostname ?? '')) {
    return createForbiddenResponse(
      `The Host header names ${host}, but only 127.0.0.1 and localhost are served`,
    );
  }
  const origin = exchange.header('origin');
  if (origin !== undefined && origin !== `http://${host}`) {
    return createForbiddenResponse(
      `The Origin ${origin} is not allowed: only pages of the local AgentCore are`,
    );
  }
  return undefined;
}

/**
 * Rejects an MCP message if its content type is not JSON.
 *
 * @returns the response, or `undefined` if the type is JSON or absent.
 */
export function rejectNonJson(exchange: HttpExchange): Answer | undefined {
  const type = exchange.header('content-type');
  if (type === undefined || /^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type.trim())) {
    return undefined;
  }
  const message = `The Content-Type is ${type}, but MCP messages are application/json`;
  return createRestErrorResponse(415, 'UnsupportedMediaTypeException', message);
}

function createForbiddenResponse(message: string): Answer {
  return createRestErrorResponse(403, 'AccessDeniedException', message);
}
