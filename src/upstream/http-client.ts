import type { Agent } from 'node:http';
import { type Authorizer, canRenewalHelp } from '../aws/auth/authorizer.ts';
import { type AuthProbeResult, probeAuthMethod } from '../aws/auth/www-authenticate.ts';
import { runInSlices } from '../base/async.ts';
import { AgentCoreError } from '../base/errors.ts';
import type { Network } from '../http/network.ts';
import {
  ConnectionThrottle,
  type HttpReply,
  post,
  type RequestTarget,
  type Timeouts,
  toRequestTarget,
} from '../http/post.ts';
import {
  type InvalidMessage,
  type JsonRpcMessage,
  type JsonRpcRequest,
  type JsonRpcResponse,
  readMessages,
  withoutByteOrderMark,
} from '../mcp/message.ts';
import { isMessageEvent, readEvents, type StreamEvent } from '../mcp/sse.ts';
import { describeErrorReply } from './http-errors.ts';
import type { HttpTarget, OutgoingMessage } from './upstream.ts';

/** Minimum read timeout of a long-lived stream in milliseconds. AgentCore's limit is one hour. */
const STREAM_LIMIT = 61 * 60 * 1000;

/** Milliseconds to cache the server's authorization method. */
const AUTH_PROBE_TTL_MS = 60_000;

/** Milliseconds for a rejected call to wait for the authorization method. */
const AUTH_PROBE_TIMEOUT_MS = 2_000;

interface HttpClientOptions {
  readonly target: HttpTarget;
  readonly authorizer: Authorizer;
  readonly agent: Agent;
  readonly network: Network;
  readonly timeouts: Timeouts;
}

/** Sends authorized POST requests to a server. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #requestTarget: RequestTarget;
  readonly #pace = new ConnectionThrottle();
  #probe:
    | { readonly method: Promise<AuthProbeResult['method']>; readonly until: number }
    | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#requestTarget = toRequestTarget(options.target.url);
  }

  /** Kind of server, as named in error messages. */
  get noun(): HttpTarget['noun'] {
    return this.#options.target.noun;
  }

  /**
   * Detects the server's authorization method by an unauthorized request. Cached. Never rejects.
   */
  #probeMethod(): Promise<AuthProbeResult['method']> {
    const now = performance.now();
    if (this.#probe && this.#probe.until > now) return this.#probe.method;
    const { target, network } = this.#options;
    const method = probeAuthMethod(
      target.url,
      network,
      AbortSignal.timeout(AUTH_PROBE_TIMEOUT_MS),
    ).then(
      (probe) => probe.method,
      () => 'unknown' as const,
    );
    this.#probe = { method, until: now + AUTH_PROBE_TTL_MS };
    return method;
  }

  /**
   * Resolves with the reply after its headers, for every status. Throws like {@link post} and the
   * authorizer.
   */
  async send({
    session,
    headers,
    body,
    signal,
    onSend,
    longLived,
    urgent,
  }: OutgoingMessage): Promise<HttpReply> {
    const { authorizer, agent, timeouts } = this.#options;
    const { sessionHeader } = this.#options.target;
    const target = this.#requestTarget;
    const authorized = await authorizer.sign({
      target,
      body,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(sessionHeader && { [sessionHeader]: session.id }),
        ...headers,
      },
    });
    // An aborted message must not put a session on record.
    signal.throwIfAborted();
    await session.onRecord();
    signal.throwIfAborted();
    const reply = await post({
      target,
      headers: authorized,
      body,
      agent,
      pace: this.#pace,
      signal,
      urgent,
      onSend,
      timeouts: longLived
        ? {
            ...timeouts,
            read: Math.max(timeouts.read, STREAM_LIMIT),
            total: Number.POSITIVE_INFINITY,
          }
        : timeouts,
    });
    if (reply.status === 401 || reply.status === 403) authorizer.learnTime?.(reply.headers.date);
    const returnedId = sessionHeader && reply.headers[sessionHeader];
    if (typeof returnedId === 'string' && returnedId !== '') session.learnIds({ returnedId });
    return reply;
  }

  /** See {@link describeErrorReply}. */
  readError(reply: HttpReply, request: JsonRpcRequest | undefined): Promise<JsonRpcResponse> {
    const { target, authorizer } = this.#options;
    return describeErrorReply(reply, request, {
      target,
      method: authorizer.method,
      probeMethod: () => this.#probeMethod(),
    });
  }

  /**
   * Renews the caller's authorization after a rejection. True if another attempt may succeed.
   *
   * @param thrown The error of the rejected call.
   * @param since Start of the rejected call (`performance.now()`).
   */
  async refreshAuth(thrown: unknown, since: number): Promise<boolean> {
    const { method, renew } = this.#options.authorizer;
    return isAuthFailure(thrown, method) && renew(since);
  }
}

/** True if the server rejected the caller, and renewed authorization may help. */
function isAuthFailure(thrown: unknown, method: Authorizer['method']): boolean {
  if (!(thrown instanceof AgentCoreError)) return false;
  const { name, status, wants, source } = thrown.data ?? {};
  if (source === 'server') return false;
  if (wants !== undefined && wants !== method) return false;
  return canRenewalHelp(method, { name, status });
}

/**
 * Parses the messages of a 2xx reply, an event stream or one body. Yields each message when it is
 * complete, a fault for each invalid one, and nothing for an empty body.
 *
 * @param limit Maximum bytes of one message.
 * @param noun Kind of server, as named in error messages.
 * @throws {AgentCoreError} `protocol` if a message is larger.
 */
export async function* readReplyMessages(
  reply: HttpReply,
  limit: number,
  noun: string,
): AsyncGenerator<JsonRpcMessage | InvalidMessage, void, void> {
  const type = String(reply.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream')) {
    for await (const event of readEvents(reply.chunks(), limit)) {
      yield* isMessageEvent(event)
        ? await runInSlices(readMessages(event.data, 'server'))
        : [createInvalidEventMessage(event)];
    }
  } else {
    const body = withoutByteOrderMark(await reply.whole(limit));
    if (body.length > limit) {
      throw new AgentCoreError('protocol', `The ${noun}'s answer is larger than ${limit} bytes`);
    }
    if (!isBlank(body)) yield* await runInSlices(readMessages(body, 'server'));
  }
}

/** Maximum characters of an event type in an error message. */
const MAX_TYPE_LENGTH = 100;

function createInvalidEventMessage({ type }: StreamEvent): InvalidMessage {
  const quoted = JSON.stringify(type.slice(0, MAX_TYPE_LENGTH));
  const reason = `An event of the type ${quoted} carries no MCP message`;
  return { kind: 'fault', code: -32600, reason, id: undefined };
}

function isBlank(body: Buffer): boolean {
  return body.every((byte) => byte <= 0x20);
}
