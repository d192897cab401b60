import { findSpanAt, readKeys } from '../mcp/json-spans.ts';
import {
  createErrorResponse,
  ErrorCode,
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
  type RequestId,
} from '../mcp/message.ts';
import { getProtocolEra, LISTS, parseListItems } from '../mcp/protocol.ts';
import { CancelledError } from '../relay/peer.ts';
import type { Approvals } from './approvals/approvals.ts';
import { type Denial, deny, type RuleMatch } from './engine/decision.ts';
import { denyAfterError, type PolicyEngine } from './engine/engine.ts';
import { findSimilarKey } from './engine/subjects.ts';

/** Members of a result with server requests (MCP 2026-07-28). */
const ASKING = ['resultType', 'inputRequests', 'requestState'];

const NO_INPUT_REQUESTS =
  "The server's answer contains requests to the client, and they cannot be read.";

/** Checks the results of the server: removes hidden items, and denies server requests in them. */
export class ResultFilter {
  readonly #engine: PolicyEngine;
  readonly #approvals: Approvals;

  constructor(engine: PolicyEngine, approvals: Approvals) {
    this.#engine = engine;
    this.#approvals = approvals;
  }

  /** @param wasApproved True if a person has approved the request. */
  async apply(
    request: JsonRpcRequest,
    response: JsonRpcResponse,
    wasApproved: boolean,
  ): Promise<{ readonly response: JsonRpcResponse } | Denial> {
    const span = response.error ? undefined : findSpanAt(response.bytes, ['result']);
    if (!span) return { response };
    const shape = LISTS.get(request.method);
    const keys = readKeys(response.bytes, span);
    const odd = findSimilarKey(keys, shape ? [...ASKING, shape.member] : ASKING);
    if (odd !== undefined) {
      const quoted = JSON.stringify(odd.slice(0, 100));
      return deny(`The server's answer has ${quoted}, which some take for another key`);
    }
    // In MCP 2026-07-28, results carry the server's requests. Some clients answer them without
    // checking `resultType`.
    if (keys.includes('inputRequests')) {
      const denial = await this.#checkInputRequests(response);
      if (denial) return denial;
    }
    if (shape) {
      const items = parseListItems(response, shape);
      if (!items) {
        const message = `The server's answer to ${request.method} is no list`;
        const code = ErrorCode.internalError;
        return { response: createErrorResponse(request.id, { code, message }) };
      }
      return this.#engine.filterList(response, shape, items);
    }
    if (wasApproved && keys.includes('requestState')) {
      const { resultType, requestState } = parseResult(response) as JsonObject;
      if (resultType !== 'complete' && typeof requestState === 'string') {
        this.#approvals.continues(request, requestState);
      }
    }
    return { response };
  }

  /** Returns the denial of a server request in a result; `undefined` if all are allowed. */
  async #checkInputRequests(response: JsonRpcResponse): Promise<Denial | undefined> {
    const { inputRequests } = parseResult(response) as JsonObject;
    if (!isObject(inputRequests)) return deny(NO_INPUT_REQUESTS);
    for (const one of Object.values(inputRequests)) {
      const isOdd =
        !isObject(one) || findSimilarKey(Object.keys(one), ['method', 'params']) !== undefined;
      if (isOdd || typeof one.method !== 'string') {
        return deny(NO_INPUT_REQUESTS);
      }
      const params = isObject(one.params) ? one.params : {};
      const denial = await this.#checkServerRequest(one.method, params);
      if (denial) return denial;
    }
    return undefined;
  }

  async #checkServerRequest(method: string, params: JsonObject): Promise<Denial | undefined> {
    try {
      const input = { from: 'server', method, params, approved: [] } as const;
      const decision = await this.#approvals.decide(input);
      return decision.effect === 'deny' ? decision : undefined;
    } catch (thrown) {
      if (thrown instanceof CancelledError) throw thrown;
      return denyAfterError(thrown);
    }
  }
}

/** Key of the denying rule in a result's `_meta`. */
const META = 'agentcore-mcp/policy';

/**
 * Creates the response to a denied request. For a tool call it is a tool result, because the model
 * reads it and can react. For other methods it is an error.
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

/** Creates a successful response. */
export function createResultResponse(id: RequestId, result: object): JsonRpcResponse {
  const bytes = Buffer.from(
    `{"jsonrpc":"2.0","id":${id.token},"result":${JSON.stringify(result)}}`,
  );
  return { kind: 'response', id, error: undefined, bytes };
}
