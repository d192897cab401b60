import type { Notification, Request, Response } from '../mcp/message.ts';

/**
 * One side of an MCP conversation, as the other side sees it. Both ends of a relay are peers, and so
 * is each interceptor in between: ids belong to the ends alone, so a request is a call that returns
 * its response, under whatever id that has.
 */
export interface Peer {
  /**
   * @returns the response, an error response included.
   * @throws {AgentCoreError} when no response came; {@link Cancelled} when the sender gave up.
   */
  request(request: Request, exchange: Exchange): Promise<Response>;
  /** Resolves once there is room for more, so that whoever awaits it is slowed to the peer's pace. */
  notify(notification: Notification, exchange: Exchange): Promise<void>;
}

/** How long later messages wait for a server to acknowledge a notification, in milliseconds. */
export const ACKNOWLEDGEMENT_TIMEOUT_MS = 1_000;

/** What belongs to one message while it is under way. */
export interface Exchange {
  /** Aborts with {@link Cancelled} when the sender gives up, with an error when the program ends. */
  readonly signal: AbortSignal;
  /** The sender, for what has to be told to it or asked of it meanwhile. */
  readonly back: Peer;
  /**
   * Called by the end right before each time the message leaves the machine, once nothing is left to
   * wait for. Throws if the message must not be sent any more.
   */
  readonly beforeSend?: (() => void) | undefined;
  /** Where somebody wants to know how it went on its way. */
  readonly trail?: Trail | undefined;
}

/** What is learnt of a request on its way, for the record. */
export interface Trail {
  /** How often it was sent. */
  attempts: number;
  /** The session that answered last. */
  session?: string | undefined;
  /** True once it may have reached the server, and no refusal has shown that it did not run. */
  mayHaveRun?: boolean;
  /** Seconds that the service wants to be left alone after the last attempt. */
  retryAfter?: number | undefined;
  /** What the service calls the last attempt. */
  requestId?: string | undefined;
  traceId?: string | undefined;
  /** How many values of each kind were hidden on its way, and on its answer's. */
  redactions?: Record<string, number>;
  /** Ids of the redaction tokens that were put in and taken back on the way and on its answer's. */
  tokens?: { readonly issued: Set<string>; readonly restored: Set<string> };
  /** What a policy has said of it. */
  decision?: Decided;
}

/** A policy's decision, as it goes on record. */
export interface Decided {
  /** `allow`, `deny`, or how an approval went. */
  readonly effect: string;
  /** The rule that decided, as a JSON pointer into its document. */
  readonly rule?: string | undefined;
  /** Path of the document. */
  readonly document?: string | undefined;
}

/** The reason of a signal whose request was cancelled by its sender: it is silent, and gets no answer. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  /** `notifications/cancelled` as it came; `undefined` where the exchange around it ended. */
  readonly notification: Notification | undefined;

  constructor(notification?: Notification) {
    super('The request was cancelled');
    this.notification = notification;
  }
}

/** What `work` resolves to, unless the signal aborts first: then its reason is thrown. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
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
