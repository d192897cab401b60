import { AgentCoreError } from '../../error.ts';
import { ErrorCode } from '../../mcp/errors.ts';
import type { Response } from '../../mcp/message.ts';

/** A server that picks its session ids refuses one that it did not pick as bad or as unknown. */
export function isRefusedId(thrown: unknown): boolean {
  const status = thrown instanceof AgentCoreError ? thrown.data?.status : undefined;
  return status === 400 || status === 404;
}

/** The same where the refusal comes as an answer. */
export function isRefusedError(response: Response): boolean {
  const code = response.error?.code;
  return (
    code === ErrorCode.connectionFailed ||
    code === ErrorCode.invalidRequest ||
    code === ErrorCode.unauthorized ||
    code === ErrorCode.notFound ||
    code === ErrorCode.validation
  );
}
