import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import {
  createErrorResponse,
  ErrorCode,
  type InvalidMessage,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from '../mcp/message.ts';

/**
 * One side of an MCP conversation, as the other side sees it. Both ends of a relay are peers, and
 * each interceptor gets the next one as a peer. Only the ends assign request ids. In between, a
 * request is a function call: its response is the return value, and ids do not matter.
 */
export interface Peer {
  /**
   * @returns the response, possibly an error response.
   * @throws {AgentCoreError} if no response arrived; {@link CancelledError} if the sender
   *   cancelled.
   */
  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse>;
  /** Resolves when there is room for more. Callers that wait do not overload a slow peer. */
  notify(notification: JsonRpcNotification, context: RequestContext): Promise<void>;
}

/** Milliseconds for the server to acknowledge a notification. Later messages wait for it. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 1_000;

/** Context of one message in transit. All interceptors of its direction share it. */
export interface RequestContext {
  readonly direction: 'to-server' | 'to-client';
  /** Aborts with {@link CancelledError} if the sender cancels, or an error if the program ends. */
  readonly signal: AbortSignal;
  /** The sender. Receives notifications and requests for this message. */
  readonly sender: Peer;
  /**
   * Called right before the message leaves the machine, for each attempt. Throws if the message
   * must no longer be sent.
   */
  readonly beforeSend?: (() => void) | undefined;
  /** Facts about the message for recorders. */
  readonly call: CallInfo;
}

/** Creates a context. If `sender` or `signal` is missing, nothing can be sent back or cancelled. */
export function createContext(
  direction: RequestContext['direction'],
  { signal = new AbortController().signal, sender = NO_SENDER }: Partial<RequestContext> = {},
): RequestContext {
  return { direction, signal, sender, call: { attempts: 0 } };
}

/** A sender without an open request. Rejects requests and drops notifications. */
const NO_SENDER: Peer = {
  request: ({ method }) =>
    Promise.reject(new AgentCoreError('usage', `No request is open for ${method}`)),
  notify: () => Promise.resolve(),
};

/** Facts about a request. Lower layers write them, recorders and transports read them. */
export interface CallInfo {
  /** Number of times that the request was sent, or was about to be sent. */
  attempts: number;
  /** Journal key of the session with the latest reply. */
  session?: string | undefined;
  /** True if the request may have run: it left the machine, and no refusal proves otherwise. */
  mayHaveRun?: boolean;
  /** `Retry-After` of the latest reply, in seconds. */
  retryAfter?: number | undefined;
  /** AWS request id of the latest reply. */
  requestId?: string | undefined;
  traceId?: string | undefined;
  /** Number of redacted values by kind, in the request and its response. */
  redactions?: Record<string, number>;
  /** Ids of issued and restored redaction tokens, in the request and its response. */
  tokens?: { readonly issued: Set<string>; readonly restored: Set<string> };
  /** The policy decision. */
  decision?: RecordedDecision;
}

/** A policy decision in its recorded form. */
interface RecordedDecision {
  /** `allow`, `deny`, or the outcome of an approval. */
  readonly effect: string;
  /** The deciding rule, as a JSON pointer into its document. */
  readonly rule?: string | undefined;
  /** Path of the document. */
  readonly document?: string | undefined;
}

/** Abort reason of a request if its sender cancels it. A cancelled request gets no response. */
export class CancelledError extends Error {
  override readonly name = 'Cancelled';
  /** The received `notifications/cancelled`; `undefined` if the enclosing call ended instead. */
  readonly notification: JsonRpcNotification | undefined;

  constructor(notification?: JsonRpcNotification) {
    super('The request was cancelled');
    this.notification = notification;
  }
}

/**
 * A step between client and server. It receives every request and notification of both sides. It
 * may forward a message to `next` (unchanged, changed, or several times) or answer a request
 * itself. It may also send its own messages to `next` or to `context.sender`.
 */
export interface Interceptor {
  request?(request: JsonRpcRequest, context: RequestContext, next: Peer): Promise<JsonRpcResponse>;
  notify?(notification: JsonRpcNotification, context: RequestContext, next: Peer): Promise<void>;
}

/**
 * Wraps the server in the interceptors. Messages from the client pass the first interceptor first.
 * Messages from the server pass the last one first.
 */
export function applyInterceptors(interceptors: readonly Interceptor[], server: Peer): Peer {
  const toServer = chainInterceptors(interceptors, server);
  const backwards = interceptors.toReversed();
  // Cache: the client is the same peer as long as its connection lasts.
  const clients = new WeakMap<Peer, Peer>();
  const withClient = (context: RequestContext): RequestContext => {
    const { sender } = context;
    let client = clients.get(sender);
    if (!client) {
      client = chainInterceptors(backwards, sender);
      clients.set(sender, client);
    }
    return { ...context, sender: client };
  };
  return {
    request: (request, context) => toServer.request(request, withClient(context)),
    notify: (notification, context) => toServer.notify(notification, withClient(context)),
  };
}

function chainInterceptors(interceptors: readonly Interceptor[], end: Peer): Peer {
  return interceptors.reduceRight<Peer>(
    (next, interceptor) => ({
      request: (request, context) =>
        interceptor.request?.(request, context, next) ?? next.request(request, context),
      notify: (notification, context) =>
        interceptor.notify?.(notification, context, next) ?? next.notify(notification, context),
    }),
    end,
  );
}

/** The outcome of a request: a response or an error. */
export type Settled = { readonly response: JsonRpcResponse } | { readonly thrown: unknown };

/** Waits for a request and returns its outcome. Never rejects. */
export async function settle(work: Promise<JsonRpcResponse>): Promise<Settled> {
  try {
    return { response: await work };
  } catch (thrown) {
    return { thrown };
  }
}

/** Returns the response, or throws the error. */
export function getOrThrow(outcome: Settled): JsonRpcResponse {
  if ('thrown' in outcome) throw outcome.thrown;
  return outcome.response;
}

/** Matches error messages with a statement about an unknown outcome. */
const SAYS_UNKNOWN = /took effect is unknown|may still be running/;

/**
 * Converts an error of a request to its error response.
 *
 * @param mayHaveRun See {@link CallInfo.mayHaveRun}. If true, the response reports an unknown
 *   outcome, unless the error has a more exact one.
 */
export function toErrorResponse(
  id: RequestId,
  thrown: unknown,
  mayHaveRun = false,
): JsonRpcResponse {
  const isKnown = thrown instanceof AgentCoreError;
  const { jsonRpcCode, ...data } = (isKnown && thrown.data) || {};
  const outcome = data.outcome ?? (mayHaveRun ? 'unknown' : undefined);
  const message = isKnown
    ? thrown.message
    : `Internal error of agentcore-mcp: ${getErrorMessage(thrown)}`;
  return createErrorResponse(id, {
    code: typeof jsonRpcCode === 'number' ? jsonRpcCode : getErrorCode(thrown),
    message: outcome === 'unknown' ? withUnknownOutcome(message) : message,
    data: {
      ...(isKnown && { reason: thrown.code }),
      ...data,
      ...(outcome !== undefined && { outcome }),
    },
  });
}

/** Adds that the outcome of the call is unknown, unless the sentence already states it. */
export function withUnknownOutcome(sentence: string): string {
  if (SAYS_UNKNOWN.test(sentence)) return sentence;
  return `${sentence}; whether the call took effect is unknown`;
}

/** Creates the error response to an invalid message. */
export function toInvalidMessageResponse(fault: InvalidMessage): JsonRpcResponse {
  return createErrorResponse(fault.id, { code: fault.code, message: fault.reason });
}

function getErrorCode(thrown: unknown): number {
  switch (thrown instanceof AgentCoreError ? thrown.code : undefined) {
    case 'connection':
    case 'timeout':
    case 'shutdown':
      return ErrorCode.connectionFailed;
    default:
      return ErrorCode.internalError;
  }
}
