import { AgentCoreError } from '../../error.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import type { JsonRpcResponse } from '../../mcp/message.ts';

/**
 * True if the server may have rejected an offered session id. A server that assigns its ids rejects
 * others as invalid or unknown.
 */
export function isUnknownSessionError(thrown: unknown): boolean {
  const status = thrown instanceof AgentCoreError ? thrown.data?.status : undefined;
  return status === 400 || status === 404;
}

/** The same for a rejection in a JSON-RPC error. */
export function isRefusedError(response: JsonRpcResponse): boolean {
  const code = response.error?.code;
  return (
    code === ErrorCode.connectionFailed ||
    code === ErrorCode.invalidRequest ||
    code === ErrorCode.unauthorized ||
    code === ErrorCode.notFound ||
    code === ErrorCode.validation
  );
}

/**
 * True for a 404 that may concern the request's session id. In MCP 2026-07-28 an unknown method has
 * the same status, but its own code.
 */
export function isUnknownId(answer: JsonRpcResponse | AgentCoreError): boolean {
  if (answer instanceof AgentCoreError) return answer.data?.status === 404;
  return answer.httpStatus === 404 && answer.error?.code !== ErrorCode.methodNotFound;
}
