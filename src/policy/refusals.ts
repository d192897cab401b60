import { getProtocolEra } from '../mcp/era.ts';
import { ErrorCode } from '../mcp/errors.ts';
import {
  createErrorResponse,
  type JsonRpcRequest,
  type JsonRpcResponse,
  type RequestId,
} from '../mcp/message.ts';
import type { RuleMatch } from './decisions/facts.ts';

/** Key of the denying rule in a result's `_meta`. */
const META = 'agentcore-mcp/policy';

/**
 * The response to a denied request. For a tool call, it is a tool result, because the model reads
 * it and can react. For other methods, it is an error.
 */
export function createDeniedResponse(
  request: JsonRpcRequest,
  { pointer, message }: RuleMatch,
): JsonRpcResponse {
  if (request.method !== 'tools/call') {
    return createErrorResponse(request.id, {
      code: ErrorCode.accessDenied,
      message: `Refused by policy: ${message}`,
      data: { reason: 'policy', rule: pointer, outcome: 'refused' },
    });
  }
  return createResultResponse(request.id, {
    ...(getProtocolEra(request) === 'stateless' && { resultType: 'complete' }),
    content: [{ type: 'text', text: `Refused by policy: ${message}` }],
    isError: true,
    _meta: { [META]: { rule: pointer } },
  });
}

export function createResultResponse(id: RequestId, result: object): JsonRpcResponse {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id.token},"result":${JSON.stringify(result)}}`,
  );
  return { kind: 'response', id, error: undefined, bytes };
}
