import { type Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { AgentCoreError, getErrorMessage } from '../error.ts';
import type { ConnectionThrottle } from './connection-pace.ts';
import { decodeBody, parseContentEncodings } from './content-encoding.ts';
import { IdleTimeout, type Timeouts } from './silence-clock.ts';

interface PostOptions {
  readonly target: RequestTarget;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly pace: ConnectionThrottle;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
  /** Called right before the request leaves. If it throws, the request is not sent. */
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
  /** Pauses the read timeout, or resumes it, while the call waits for another party. */
  holdClock(hold: boolean): void;
  /** Closes the connection. Must be called when the body is no longer read. */
  discard(): void;
}

/**
 * Sends a POST request and resolves when the response headers arrive.
 *
 * @throws {AgentCoreError} `connection` or `timeout`. Its `data.outcome` is `not sent` if the
 * server cannot have received the request, else `unknown`.
 * @throws the signal's reason if the signal aborts.
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
  ECONNREFUSED: 'nothing listens there; check the endpoint, or start what should listen',
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
