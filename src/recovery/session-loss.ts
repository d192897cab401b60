import { AgentCoreError } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { makeRequest, numericId } from '../mcp/message.ts';
import { platformError } from '../mcp/platform-errors.ts';
import type { Exchange, Peer } from '../relay/peer.ts';
import { type Answer, answerOf } from './verdict.ts';

/** Milliseconds in which a server has to give a list; a slow one is not a forgetful one. */
const PATIENCE = 10_000;

/** A sign that the server has forgotten the client. */
export interface Loss {
  readonly reason: string;
  /** False where a server that knows its client may say the same for another reason. */
  readonly isCertain: boolean;
  /** True where its words speak of a session or a handshake. */
  readonly isSaid: boolean;
  /** True where the session may have gone after the call had run: what is sent again may run twice. */
  readonly mayHaveRun: boolean;
}

/** How servers say that they were never initialized or do not know a session, apart from a 404. */
const FORGETFUL =
  /not (been )?initialized|before initialization|session (was )?(not found|expired|terminated|unknown)|(unknown|invalid|missing|no valid|no) (mcp[- ])?session/i;

/** What AgentCore makes of a 4xx of its container. */
const WRAPPED = /Received error \(4\d\d\) from runtime/;

/** What an answer says about the session; `undefined` for one that says nothing. */
export function lossIn(answer: Answer): Loss | undefined {
  if ('thrown' in answer) {
    const { thrown } = answer;
    if (!(thrown instanceof AgentCoreError)) return undefined;
    const { status, name } = thrown.data ?? {};
    const reason = thrown.message;
    if (status === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
    if (status === 424 && WRAPPED.test(reason)) {
      return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
    }
    // AgentCore names its own refusals; what has no name comes from the server.
    if (status !== 400 || name !== undefined) return undefined;
    return { reason, isCertain: false, isSaid: FORGETFUL.test(reason), mayHaveRun: false };
  }
  const { error, httpStatus, id } = answer.response;
  if (!error) return undefined;
  const reason = String(error.message);
  // A server that knows no such method knows its client.
  if (error.code === ErrorCode.methodNotFound) return undefined;
  // Streamable HTTP, "Session Management": a session that has ended is answered with 404.
  if (httpStatus === 404) return { reason, isCertain: true, isSaid: true, mayHaveRun: false };
  // AgentCore's words for a container or microVM that failed, before the call or in its middle.
  if (platformError(error)?.outcome === 'unknown') {
    return { reason, isCertain: false, isSaid: false, mayHaveRun: true };
  }
  const isSaid = FORGETFUL.test(reason);
  // An error for no request (`id: null`) is what a server says that did not take the request up.
  if (!isSaid && id && error.code !== ErrorCode.invalidParams) return undefined;
  return { reason, isCertain: false, isSaid, mayHaveRun: false };
}

/**
 * Asks a server for a list that it announced, which it only gives to a client that it knows. `ping`
 * proves nothing: it is legal before initialization.
 *
 * @param list `tools/list` or the like; where the server announced none, its word has to do.
 */
export async function hasForgotten(
  loss: Loss,
  list: string | undefined,
  server: Peer,
  exchange: Exchange,
): Promise<boolean> {
  if (list === undefined) return loss.isSaid;
  const signal = AbortSignal.any([exchange.signal, AbortSignal.timeout(PATIENCE)]);
  const probe = makeRequest(numericId(0), list);
  const answer = await answerOf(server.request(probe, { ...exchange, signal }));
  if (lossIn(answer)) return true;
  // A probe that is not answered proves nothing, so the server's word has to do here as well.
  return 'thrown' in answer && !exchange.signal.aborted && loss.isSaid;
}
