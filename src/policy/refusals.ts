import { eraOf } from '../mcp/era.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { makeError, type Request, type RequestId, type Response } from '../mcp/message.ts';
import type { Ruling } from './decisions/facts.ts';

/** Under which a result says which rule it is from. */
const META = 'agentcore-mcp/policy';

/**
 * The answer to a request that a policy refuses: for a tool a result that the model reads and can
 * react to, for other methods an error.
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
