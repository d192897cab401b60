import { AgentCoreError, getErrorMessage } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import {
  createErrorResponse,
  type InvalidMessage,
  type JsonRpcResponse,
  type RequestId,
} from '../mcp/message.ts';

/** Matches messages with a statement of an unknown outcome. */
const SAYS_UNKNOWN = /took effect is unknown|may still be running/;

/**
 * Converts an error of a request to its error response.
 *
 * @param mayHaveRun True if the request left this machine and no refusal is known. The response
 * then reports an unknown outcome, unless the error has a more exact one.
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

/** The error response to invalid bytes. */
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
