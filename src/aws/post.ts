import { type Agent, type IncomingMessage, request } from 'node:http';
import { AgentCoreError, messageOf } from '../error.ts';
import { SilenceClock, type Timeouts } from './silence-clock.ts';

export interface PostOptions {
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly agent: Agent;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
}

/** An answer whose head is here and whose body is still to come. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** Throws an {@link AgentCoreError} (`connection`, `timeout`) where it breaks off. */
  readonly body: AsyncIterable<Buffer>;
  /** Stops the clock of the read timeout, or lets it go on, as long as others are waited for. */
  holdClock(hold: boolean): void;
  /** Lets go of the connection: to be called once nobody reads the body any more. */
  discard(): void;
}

/**
 * Sends a POST and resolves as soon as the head of its answer is here.
 *
 * @throws {AgentCoreError} `connection` or `timeout`; the signal's reason where that aborts.
 */
export async function post(options: PostOptions): Promise<Reply> {
  const { url, signal } = options;
  signal.throwIfAborted();
  const outgoing = request(url, {
    method: 'POST',
    headers: { ...options.headers, 'content-length': options.body.length },
    agent: options.agent,
  });
  const clock = new SilenceClock(outgoing, options.timeouts, url.host);
  const abort = () => outgoing.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  outgoing.once('close', () => signal.removeEventListener('abort', abort));
  const failure = (error: Error) => {
    if (signal.aborted) return signal.reason;
    return clock.expired ?? toFailure(error, url);
  };

  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    // Stays attached: an error behind the head is told by the body, and by nobody else.
    outgoing.on('error', (error) => reject(failure(error)));
    outgoing.end(options.body);
  });
  clock.heard();

  async function* body(): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const chunk of response) {
        // While the reader works on a chunk, silence is not the sender's.
        clock.hold(true);
        yield chunk as Buffer;
        clock.hold(false);
      }
    } catch (error) {
      throw failure(error as Error);
    }
  }

  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: body(),
    holdClock: (hold) => clock.hold(hold),
    discard: () => response.destroy(),
  };
}

const UNTRUSTED =
  'its certificate is not trusted; name the certificate authority in NODE_EXTRA_CA_CERTS';
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
};

function toFailure(error: Error, url: URL): AgentCoreError {
  if (error instanceof AgentCoreError) return error;
  const { code = error.name } = error as NodeJS.ErrnoException;
  return new AgentCoreError(
    'connection',
    `The connection to ${url.host} failed: ${ADVICE[code] ?? messageOf(error)} (${code})`,
    { cause: error, data: { error: code } },
  );
}
