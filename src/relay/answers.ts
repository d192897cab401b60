import { AgentCoreError } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { type MessageFault, makeError, type RequestId, type Response } from '../mcp/message.ts';

/** The answer to a request that failed on the way, for whatever was thrown. */
export function failureAnswer(id: RequestId, thrown: unknown): Response {
  if (!(thrown instanceof AgentCoreError)) {
    return makeError(id, {
      code: ErrorCode.internalError,
      message: `Internal error of agentcore-mcp: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    });
  }
  const { jsonRpcCode, ...data } = thrown.data ?? {};
  return makeError(id, {
    code: typeof jsonRpcCode === 'number' ? jsonRpcCode : codeOf(thrown),
    message: thrown.message,
    data: { reason: thrown.code, ...data },
  });
}

/** The answer to bytes that are no message. */
export function faultAnswer(fault: MessageFault): Response {
  return makeError(fault.id, { code: fault.code, message: fault.reason });
}

function codeOf(error: AgentCoreError): number {
  switch (error.code) {
    case 'connection':
    case 'timeout':
    case 'shutdown':
      return ErrorCode.connectionFailed;
    default:
      return ErrorCode.internalError;
  }
}
