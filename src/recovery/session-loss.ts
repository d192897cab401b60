import { AgentCoreError } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { createRequest, createRequestId } from '../mcp/message.ts';
import { findPlatformError } from '../mcp/platform-errors.ts';
import type { Peer, RequestContext } from '../relay/peer.ts';
import { type Settled, settle } from './verdict.ts';

/**
 * Milliseconds for the response to a probe. A slow server has not necessarily forgotten the client.
 */
const PROBE_TIMEOUT_MS = 10_000;

/** A sign that the server has forgotten the client. */
export interface SessionLoss {
  readonly reason: string;
  /** False if a server that knows its client may return the same error for another reason. */
  readonly isCertain: boolean;
  /** True if the error message mentions a session or a handshake. */
  readonly isSaid: boolean;
  /** True if the session may have ended after the call ran, so that a retry may run it twice. */
  readonly mayHaveRun: boolean;
}

/**
 * Error messages of servers that were never initialized or do not know a session, apart from a 404.
 */
const FORGETFUL =
  /not (been )?initialized|before initialization|session (was )?(not found|expired|terminated|unknown)|(unknown|invalid|missing|no valid|no) (mcp[- ])?session/i;

/** AgentCore's message for a 4xx of its container. */
const WRAPPED = /Received error \(4\d\d\) from runtime/;

/** Returns the session loss that an answer indicates, or `undefined`. */
export function detectSessionLoss(answer: Settled): SessionLoss | undefined {
  if ('thrown' in answer) {
    const { thrown } = answer;
    if (!(thrown instanceof AgentCoreError)) return undefined;
    const { status, name } = thrown.data ?? {};
    const reason = thrown.message;
    if (status === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
    if (status === 424 && WRAPPED.test(reason)) {
      return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
    }
    // AgentCore's own refusals have a name. A refusal without a name comes from the server.
    if (status !== 400 || name !== undefined) return undefined;
    return { reason, isCertain: false, isSaid: FORGETFUL.test(reason), mayHaveRun: false };
  }
  const { error, httpStatus, id } = answer.response;
  if (!error) return undefined;
  const reason = String(error.message);
  // A server that rejects an unknown method knows its client.
  if (error.code === ErrorCode.methodNotFound) return undefined;
  // Streamable HTTP, "Session Management": a session that has ended is answered with 404.
  if (httpStatus === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
  // AgentCore's error for a container or microVM that failed before or during the call.
  if (findPlatformError(error)?.outcome === 'unknown') {
    return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
  }
  const isSaid = FORGETFUL.test(reason);
  // An error without a request id (`id: null`) comes from a server that did not process the
  // request.
  if (!isSaid && id && error.code !== ErrorCode.invalidParams) return undefined;
  return { reason, isCertain: false, isSaid, mayHaveRun: false };
}

/**
 * Probes a server with a list that it announced, which it returns only to a client that it knows.
 * `ping` proves nothing, because it is legal before initialization.
 *
 * @param list For example `tools/list`. If the server announced no list, its error message decides.
 */
export async function confirmSessionLoss(
  loss: SessionLoss,
  list: string | undefined,
  server: Peer,
  context: RequestContext,
): Promise<boolean> {
  if (list === undefined) return loss.isSaid;
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]);
  const probe = createRequest(createRequestId(0), list);
  const answer = await settle(server.request(probe, { ...context, signal }));
  if (detectSessionLoss(answer)) return true;
  // An unanswered probe proves nothing, so the server's error message decides here as well.
  return 'thrown' in answer && !context.signal.aborted && loss.isSaid;
}
