import type { JsonRpcNotification, JsonRpcRequest, JsonRpcResponse } from '../mcp/message.ts';

/**
 * One side of an MCP conversation, as the other side sees it. Both ends of a relay and each
 * interceptor between them are peers. Only the ends assign ids. In between, a request is a call and
 * returns its response, whatever the id.
 */
export interface Peer {
  /**
   * @returns the response, possibly an error response.
   * @throws {AgentCoreError} if no response arrived; {@link Cancelled} if the sender cancelled.
   */
  request(request: JsonRpcRequest, context: RequestContext): Promise<JsonRpcResponse>;
  /** Resolves when there is room for more: a waiting caller slows to the peer's pace. */
  notify(notification: JsonRpcNotification, context: RequestContext): Promise<void>;
}

/** How long later messages wait for a server to acknowledge a notification, in milliseconds. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 1_000;

/** Context of one message in transit. */
export interface RequestContext {
  /** Aborts with {@link Cancelled} if the sender cancels, or with an error if the program ends. */
  readonly signal: AbortSignal;
  /** The sender. Receives notifications and requests for this message. */
  readonly sender: Peer;
  /**
   * Called right before each time the message leaves the machine, after all waiting. Throws if the
   * message must no longer be sent.
   */
  readonly beforeSend?: (() => void) | undefined;
  /** Set if a caller records the request. */
  readonly call?: CallInfo | undefined;
}

/** Facts about a request, collected in transit and recorded. */
export interface CallInfo {
  /** The last session to answer. */
  attempts: number;
  /** The session that answered last. */
  session?: string | undefined;
  /** True if the request may have reached the server and no refusal shows that it did not run. */
  mayHaveRun?: boolean;
  /** Seconds to wait after the last attempt, as requested by the service. */
  retryAfter?: number | undefined;
  /** The service's id of the last attempt. */
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

/** Abort reason of a request that its sender cancelled. Such a request gets no response. */
export class CancelledError extends Error {
  override readonly name = 'Cancelled';
  /**
   * The received `notifications/cancelled`; `undefined` if the enclosing exchange ended instead.
   */
  readonly notification: JsonRpcNotification | undefined;

  constructor(notification?: JsonRpcNotification) {
    super('The request was cancelled');
    this.notification = notification;
  }
}

/** Resolves like `work`, or throws the signal's reason if the signal aborts first. */
export async function withAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let giveUp: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (giveUp) signal.removeEventListener('abort', giveUp);
  }
}
