import { readFileSync } from 'node:fs';
import { type Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { pipeline, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { AgentCoreError, getErrorMessage } from '../base/errors.ts';

/**
 * Sends one streaming POST request: timeouts, limits on connections, decoding of the body, and
 * errors with advice. All requests to AgentCore and other MCP servers use it.
 */

interface PostOptions {
  readonly target: RequestTarget;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly pace: ConnectionThrottle;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
  /** Called right before the request is sent. If it throws, the request is not sent. */
  readonly onSend?: (() => void) | undefined;
  /** True for a response needed by an open call. */
  readonly urgent?: boolean | undefined;
}

/** The parts of a URL for requests and signatures. */
export interface RequestTarget {
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly port: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly search: string;
}

/** Splits a URL into the parts for requests and signatures. */
export function toRequestTarget(url: URL): RequestTarget {
  return {
    protocol: url.protocol,
    host: url.host,
    // A URL has brackets around IPv6 addresses. Other APIs expect none.
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    search: url.search,
  };
}

/** Bytes of a body that count as progress for the timeout. */
const PROGRESS_BYTES = 64 * 1024;

/** A response whose headers have arrived and whose body has not been read. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /**
   * The body as it arrives, decoded if it is compressed.
   *
   * @throws {AgentCoreError} `connection` or `timeout` if it is interrupted, `protocol` if it
   * cannot be decoded.
   */
  chunks(): AsyncGenerator<Buffer, void, void>;
  /** Returns the whole body, or stops after more than `limit` bytes. Throws like `chunks`. */
  whole(limit: number): Promise<Buffer>;
  /** Must be called for each message in the body. Only messages extend the total timeout. */
  onMessage(): void;
  /** Pauses the timeouts, or resumes them, while the call waits for another party. */
  holdClock(hold: boolean): void;
  /** Closes the connection. Must be called when the body is no longer read. */
  discard(): void;
}

/**
 * Sends a POST request and resolves when the response headers arrive.
 *
 * @throws {AgentCoreError} `connection` or `timeout`. Its `data.outcome` is `not sent` if the
 * server cannot have received the request, else `unknown`. `protocol` if a request header contains
 * invalid characters.
 * @throws the signal's reason if the signal aborts, or the error of `onSend`.
 */
export async function post(options: PostOptions): Promise<HttpReply> {
  const { target, signal, timeouts, body, pace } = options;
  const turn = pace.enter(options.urgent);
  if (turn) await turn;
  try {
    signal.throwIfAborted();
    options.onSend?.();
  } catch (thrown) {
    pace.leave();
    throw thrown;
  }
  const outgoing = startRequest(options);
  const clock = new IdleTimeout(outgoing, timeouts, target.host);
  const abort = () => outgoing.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  outgoing.once('close', () => {
    pace.leave();
    signal.removeEventListener('abort', abort);
  });
  const failure = (error: Error) => {
    if (signal.aborted) return signal.reason;
    return clock.expired ?? toFailure(error, clock.isConnected, options);
  };
  return new Promise<HttpReply>((resolve, reject) => {
    outgoing.once('response', (response) => {
      clock.heard();
      resolve(toReply(response, clock, failure));
    });
    // Keep this listener: an error after the headers is reported through the body, and must not
    // crash the process.
    outgoing.on('error', (error) => reject(failure(error)));
    // In some cases Node emits only `close`, for example after an unexpected protocol switch.
    outgoing.once('close', () => reject(failure(new Error('it ended without an answer'))));
    outgoing.end(body);
  });
}

/** @throws {AgentCoreError} `protocol` if a header contains invalid characters. */
function startRequest({ target, headers, body, agent, pace }: PostOptions): ClientRequest {
  try {
    return request({
      method: 'POST',
      protocol: target.protocol,
      hostname: target.hostname,
      port: target.port,
      path: target.path + target.search,
      headers: { ...headers, 'content-length': body.length },
      agent,
    });
  } catch (cause) {
    pace.leave();
    throw new AgentCoreError('protocol', `Could not send the request: ${getErrorMessage(cause)}`, {
      cause,
    });
  }
}

function toReply(
  response: IncomingMessage,
  clock: IdleTimeout,
  failure: (error: Error) => unknown,
): HttpReply {
  const encodings = parseContentEncodings(response.headers['content-encoding']);
  async function* received(): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of response) {
        // While the reader processes a chunk, the silence is not caused by the server.
        clock.hold(true);
        yield chunk as Buffer;
        clock.hold(false);
      }
    } catch (error) {
      throw failure(error as Error);
    }
  }
  const isEncoded = encodings.length > 0;
  const chunks = () => (isEncoded ? decodeBody(received(), encodings) : received());
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    chunks,
    async whole(limit) {
      const parts: Buffer[] = [];
      let length = 0;
      let progress = 0;
      /** Returns false when the limit is exceeded. */
      const add = (part: Buffer): boolean => {
        parts.push(part);
        length += part.length;
        // A large body extends the total timeout, but a slow trickle does not extend it forever.
        if (length - progress >= PROGRESS_BYTES) {
          progress = length;
          clock.progressed();
        }
        return length <= limit;
      };
      if (isEncoded) {
        for await (const chunk of chunks()) if (!add(chunk)) break;
      } else {
        await new Promise<void>((resolve, reject) => {
          response.on('data', (chunk: Buffer) => {
            clock.heard();
            if (add(chunk)) return;
            resolve();
            response.destroy();
          });
          response.once('end', resolve);
          response.once('error', (error) => reject(failure(error)));
        });
      }
      return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, length);
    },
    onMessage: () => clock.progressed(),
    holdClock: (hold) => clock.hold(hold),
    discard: () => response.destroy(),
  };
}

const UNTRUSTED =
  'its certificate is not trusted; name the certificate authority in NODE_EXTRA_CA_CERTS, or set NODE_USE_SYSTEM_CA=1';

const CLOSED = 'it closed the connection, so whether the call took effect is unknown';

const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; check the endpoint, or start the server',
  ENOTFOUND: 'its name does not resolve; check the region, the endpoint and the network',
  EAI_AGAIN: 'its name does not resolve now; check the network',
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  EMFILE:
    'this machine allows no more open files; raise the limit (ulimit -n), or make fewer calls at once',
};

function toFailure(
  error: Error,
  wasSent: boolean,
  { target: { host }, agent }: PostOptions,
): AgentCoreError {
  if (error instanceof AgentCoreError) return error;
  const { code = error.name } = error as NodeJS.ErrnoException;
  // A proxy agent exposes its proxy URL. Use only the host, because the URL may contain a password.
  const { proxy } = agent as { proxy?: URL };
  const way = proxy ? `${host} through the proxy ${proxy.host}` : host;
  return new AgentCoreError(
    'connection',
    `The connection to ${way} failed: ${ADVICE[code] ?? getErrorMessage(error)} (${code})`,
    { cause: error, data: { error: code, outcome: wasSent ? 'unknown' : 'not sent' } },
  );
}

/** Timeouts of one request. */
export interface Timeouts {
  /** Connection timeout in milliseconds, including the TLS handshake. */
  readonly connect: number;
  /** Maximum silence of the server, in milliseconds. */
  readonly read: number;
  /**
   * Maximum milliseconds between messages, regardless of keep-alives. The default is four times
   * `read`.
   */
  readonly total?: number;
}

type Phase = 'connect' | 'read';

/**
 * Comments in an event stream show a live server, but not progress of the call. With the default
 * read timeout, the total is one hour: AgentCore's maximum stream duration.
 */
const TOTAL_OF_READ = 4;

/**
 * Destroys a request if it does not connect, if the server is silent, or if only keep-alives
 * arrive. One timer serves the whole request and is rescheduled for the remaining time.
 */
export class IdleTimeout {
  /** The timeout error, set when the request is destroyed. */
  expired: AgentCoreError | undefined;
  readonly #request: ClientRequest;
  readonly #timeouts: Timeouts;
  readonly #host: string;
  #timer: NodeJS.Timeout;
  // Waiting for a socket of the agent counts as connecting.
  #phase: Phase = 'connect';
  #since = performance.now();
  /** When the last message arrived, or when the request was sent. */
  #progressSince = performance.now();
  #holds = 0;
  #heldSince = 0;
  #written = 0;

  constructor(request: ClientRequest, timeouts: Timeouts, host: string) {
    this.#request = request;
    this.#timeouts = timeouts;
    this.#host = host;
    this.#timer = this.#ringIn(Math.min(timeouts.connect, timeouts.read));
    request.once('socket', (socket) => {
      if (!socket.connecting) return this.heard();
      socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.heard());
    });
    request.once('close', () => clearTimeout(this.#timer));
  }

  /** False while no part of the request can have left this machine. */
  get isConnected(): boolean {
    return this.#phase === 'read';
  }

  /** Restarts the read timeout after data was received or sent. */
  heard(): void {
    this.#phase = 'read';
    this.#since = performance.now();
  }

  /** Restarts both timeouts after a message or a large part of one. */
  progressed(): void {
    this.heard();
    this.#progressSince = this.#holds > 0 ? this.#heldSince : this.#since;
  }

  /**
   * Pauses the timeouts while the server is not responsible for the silence. Each `true` needs a
   * matching `false`.
   */
  hold(hold: boolean): void {
    this.heard();
    if (hold) {
      if (this.#holds++ === 0) this.#heldSince = this.#since;
    } else if (--this.#holds === 0) {
      this.#progressSince += this.#since - this.#heldSince;
    }
  }

  #ringIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#ring(), milliseconds);
  }

  #ring(): void {
    this.#noticeUpload();
    const limit = this.#timeouts[this.#phase];
    const now = performance.now();
    const silent = this.#since + limit - now;
    const total = this.#phase === 'read' ? this.#progressSince + this.#total - now : silent;
    if (this.#holds > 0) this.#timer = this.#ringIn(limit);
    else if (silent > 0 && total > 0) this.#timer = this.#ringIn(Math.min(silent, total));
    else this.#expire(silent <= 0);
  }

  get #total(): number {
    return this.#timeouts.total ?? this.#timeouts.read * TOTAL_OF_READ;
  }

  /** An upload in progress counts as progress. */
  #noticeUpload(): void {
    const written = this.#request.socket?.bytesWritten ?? 0;
    if (this.#phase === 'read' && written > this.#written) this.progressed();
    this.#written = written;
  }

  #expire(isSilent: boolean): void {
    const outcome = this.isConnected ? 'unknown' : 'not sent';
    this.expired = new AgentCoreError('timeout', this.#reason(isSilent), { data: { outcome } });
    this.#request.destroy(this.expired);
  }

  #reason(isSilent: boolean): string {
    const seconds = this.#timeouts[this.#phase] / 1000;
    if (this.#phase === 'connect') {
      return `Could not connect to ${this.#host} within ${seconds} s: check the network and proxy settings, or raise AGENTCORE_CONNECT_TIMEOUT`;
    }
    const running = 'and the call may still be running there: raise AGENTCORE_READ_TIMEOUT';
    if (isSilent) return `${this.#host} was silent for ${seconds} s ${running} if it needs longer`;
    return `${this.#host} sent only keep-alives for ${this.#total / 1000} s, ${running} to at least a quarter of the call's duration`;
  }
}

/** Maximum concurrent requests before new ones wait for a connection. */
const MAX_IMMEDIATE_REQUESTS = 64;

/** If no connection becomes free for this many milliseconds, all waiting requests proceed. */
const STALL_TIMEOUT_MS = 25;

/** Maximum wait of a request, in milliseconds. */
const THROTTLE_TIMEOUT_MS = 250;

/** File descriptors reserved for other uses than connections. */
const RESERVED_FILES = 40;

/** Connections to allow even if the file descriptor limit is lower. */
const MIN_CONNECTIONS = 4;

/** Connections above the limit for messages needed by open calls. */
const URGENT_CONNECTIONS = 4;

/**
 * Delays requests in a burst, so that they reuse connections and avoid a TLS handshake each. The
 * connections may be busy with calls that wait for a user, so a request waits only briefly. If the
 * file descriptor limit allows no more connections, it waits until another request has ended.
 */
export class ConnectionThrottle {
  #knownLimit: number | undefined;
  /** Requests with a connection or about to open one. */
  #going = 0;
  #stall: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(limit?: number) {
    this.#knownLimit = limit;
  }

  /** Read only when it matters, because reading it takes time. */
  get #limit(): number {
    if (this.#knownLimit === undefined && this.#going < MIN_CONNECTIONS) return MIN_CONNECTIONS;
    this.#knownLimit ??= getMaxConnections();
    return this.#knownLimit;
  }

  /**
   * Resolves when the request may be sent. Returns `undefined` if it may be sent immediately.
   *
   * @param isUrgent True for a response needed by an open call. It must not wait for that call.
   */
  enter(isUrgent = false): Promise<void> | undefined {
    const isFree = isUrgent
      ? this.#going < this.#limit + URGENT_CONNECTIONS
      : this.#going < Math.min(MAX_IMMEDIATE_REQUESTS, this.#limit);
    if (isFree) {
      this.#going++;
      return undefined;
    }
    this.#stall ??= setTimeout(() => this.#letAllGo(), STALL_TIMEOUT_MS);
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(patience);
        this.#waiting.delete(go);
        this.#going++;
        resolve();
      };
      const patience = setTimeout(() => {
        if (this.#going < this.#limit) go();
      }, THROTTLE_TIMEOUT_MS);
      this.#waiting.add(go);
    });
  }

  /** Must be called once for each entered request, when its connection is free again. */
  leave(): void {
    this.#going--;
    this.#stall?.refresh();
    if (this.#going < this.#limit) this.#waiting.values().next().value?.();
  }

  #letAllGo(): void {
    this.#stall = undefined;
    for (const go of this.#waiting) {
      if (this.#going >= this.#limit) return;
      go();
    }
  }
}

/** Maximum connections under the file descriptor limit. Windows has no such limit. */
function getMaxConnections(): number {
  const files = process.platform === 'win32' ? Infinity : (readProcLimit() ?? readReportLimit());
  return Math.max(MIN_CONNECTIONS, files - RESERVED_FILES);
}

function readProcLimit(): number | undefined {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return files === undefined ? undefined : Number(files);
  } catch {
    return undefined;
  }
}

/** A report takes 10 ms or more, but works on every POSIX system. */
function readReportLimit(): number {
  const report: Report = process.report;
  const { excludeNetwork, excludeEnv } = report;
  // Looking up the names of all connected hosts could take seconds.
  Object.assign(report, { excludeNetwork: true, excludeEnv: true });
  try {
    const { userLimits } = report.getReport() as { userLimits?: UserLimits };
    const files = Number(userLimits?.open_files?.soft);
    return Number.isFinite(files) ? files : Infinity;
  } catch {
    return Infinity;
  } finally {
    Object.assign(report, { excludeNetwork, excludeEnv });
  }
}

/** The type definitions of Node 22 lack this member. */
interface Report extends NodeJS.ProcessReport {
  readonly excludeNetwork?: boolean;
}

/** Part of a report. `soft` is a number or "unlimited". */
interface UserLimits {
  readonly open_files?: { readonly soft?: unknown };
}

/** No server applies more. The limit matters because each encoding can expand data 1,000 times. */
const MAX_ENCODINGS = 3;

/** The low half of a zlib header's first byte. Any other value means deflate without a header. */
const ZLIB_METHOD = 8;

/** Creates a decoder for a body with this first byte. */
type DecoderFactory = (first: number) => Transform;

const DECODERS: Readonly<Record<string, DecoderFactory>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  br: () => createBrotliDecompress(),
  // Servers disagree on the meaning of "deflate", so accept both (RFC 9110, 8.4.1.2).
  deflate: (first) => ((first & 0x0f) === ZLIB_METHOD ? createInflate() : createInflateRaw()),
};

/** Parses the encodings of a body, in the order of application. */
export function parseContentEncodings(header: string | undefined): readonly string[] {
  if (!header) return [];
  const names = header.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => name !== '' && name !== 'identity');
}

/**
 * Decodes a body. Each decoded chunk is passed on before the next one is read, so stream events are
 * not delayed.
 *
 * @throws {AgentCoreError} `protocol` if it cannot be decoded. Errors of the body are rethrown.
 */
export async function* decodeBody(
  body: AsyncIterable<Buffer>,
  encodings: readonly string[],
): AsyncGenerator<Buffer, void, void> {
  if (encodings.length > MAX_ENCODINGS) {
    throw createDecodingError(encodings, `it has ${encodings.length} encodings`);
  }
  let chunks = body;
  for (const encoding of encodings.toReversed()) {
    const factory = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
    if (!factory) throw createDecodingError(encodings, 'the encoding is not known');
    chunks = decodeOnce(chunks, factory);
  }
  try {
    yield* chunks;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // zlib's own errors. All others come from the connection.
    const isOfDecoder = typeof code === 'string' && /^(Z_|ERR_(_|BROTLI))/.test(code);
    throw isOfDecoder ? createDecodingError(encodings, getErrorMessage(error), error) : error;
  }
}

async function* decodeOnce(
  body: AsyncIterable<Buffer>,
  create: DecoderFactory,
): AsyncGenerator<Buffer, void, void> {
  const chunks = body[Symbol.asyncIterator]();
  const first = await chunks.next();
  // An absent body is empty in any encoding.
  if (first.done) return;
  const decoder = create(first.value[0] ?? 0);
  const all = async function* () {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => chunks };
  };
  // Ignored here: the loop below throws the decoder's errors.
  pipeline(all, decoder, () => undefined);
  for await (const chunk of decoder) yield chunk as Buffer;
}

function createDecodingError(
  encodings: readonly string[],
  why: string,
  cause?: unknown,
): AgentCoreError {
  const names = JSON.stringify(encodings.join(', ').slice(0, 100));
  return new AgentCoreError(
    'protocol',
    `Could not decode the answer with the content encoding ${names}: ${why}. Have the server send gzip, deflate, br or no encoding`,
    { cause, data: { outcome: 'unknown' } },
  );
}
