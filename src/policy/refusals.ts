import { eraOf } from '../mcp/era.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { makeError, type Request, type RequestId, type Response } from '../mcp/message.ts';
import type { Ruling } from './decisions/facts.ts';

/** Key of the denying rule in a result's `_meta`. */
const META = 'agentcore-mcp/policy';

/**
 * The response to a denied request. For a tool call, it is a tool result, because the model reads
 * it and can react. For other methods, it is an error.
 */
export function refusal(request: Request, { pointer, sentence }: Ruling): Response {
  if (request.method !== 'tools/call') {
    return makeError(request.id, {
      code: ErrorCode.accessDenied,
      message: `Refused by policy: ${sentence}`,
      data: { reason: 'policy', rule: pointer, outcome: 'refused' },
    });
  }
  return makeResult(request.id, {
    ...(eraOf(request) === 'stateless' && { resultType: 'complete' }),
    content: [{ type: 'text', text: `Refused by policy: ${sentence}` }],
    isError: true,
    _meta: { [META]: { rule: pointer } },
  });
}

export function makeResult(id: RequestId, result: object): Response {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id.token},"result":${JSON.stringify(result)}}`,
  );
  return { kind: 'response', id, error: undefined, bytes };
}
