import { AgentCoreError, messageOf } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { type MessageFault, makeError, type RequestId, type Response } from '../mcp/message.ts';

/** How a sentence says already that a call may have taken effect. */
const SAYS_UNKNOWN = /took effect is unknown|may still be running/;

/**
 * The answer to a request that failed on the way, for whatever was thrown.
 *
 * @param mayHaveRun True if the request left this machine and nothing shows that it was refused: then
 * the answer says that the outcome is unknown, unless the error knows better.
 */
export function failureAnswer(id: RequestId, thrown: unknown, mayHaveRun = false): Response {
  const isKnown = thrown instanceof AgentCoreError;
  const { jsonRpcCode, ...data } = (isKnown && thrown.data) || {};
  const outcome = data.outcome ?? (mayHaveRun ? 'unknown' : undefined);
  const message = isKnown
    ? thrown.message
    : `Internal error of agentcore-mcp: ${messageOf(thrown)}`;
  return makeError(id, {
    code: typeof jsonRpcCode === 'number' ? jsonRpcCode : codeOf(thrown),
    message: outcome === 'unknown' ? withUnknownOutcome(message) : message,
    data: {
      ...(isKnown && { reason: thrown.code }),
      ...data,
      ...(outcome !== undefined && { outcome }),
    },
  });
}

/** The same sentence, saying also that nobody knows whether the call ran. */
export function withUnknownOutcome(sentence: string): string {
  if (SAYS_UNKNOWN.test(sentence)) return sentence;
  return `${sentence}; whether the call took effect is unknown`;
}

/** The answer to bytes that are no message. */
export function faultAnswer(fault: MessageFault): Response {
  return makeError(fault.id, { code: fault.code, message: fault.reason });
}

function codeOf(thrown: unknown): number {
  switch (thrown instanceof AgentCoreError ? thrown.code : undefined) {
    case 'connection':
    case 'timeout':
    case 'shutdown':
      return ErrorCode.connectionFailed;
    default:
      return ErrorCode.internalError;
  }
}
