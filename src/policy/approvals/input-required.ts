import { randomBytes } from 'node:crypto';
import { findSpanAt } from '../../mcp/json-spans.ts';
import { isObject, type JsonRpcRequest, replaceValueAt, withId } from '../../mcp/message.ts';
import { createElicitationParams } from './elicitation.ts';
import {
  type Answer,
  type ApprovalQuestion,
  getApprovalTimeoutMs,
  readAnswer,
} from './question.ts';

/** Maximum open questions; the oldest are removed first. */
const MAX_OPEN = 1_000;

const KEY = 'agentcore-mcp-policy';

interface Open {
  readonly request: JsonRpcRequest;
  readonly question: ApprovalQuestion;
  readonly fingerprint: string;
  /** Milliseconds of the monotonic clock. */
  readonly until: number;
}

/**
 * Asks a person in MCP 2026-07-28: the response `input_required` requests input, and the client
 * repeats the call with the answer. The proxy forwards the original call under the new ID. It takes
 * only the answer and the progress token from the repetition.
 */
export class InputRequired {
  readonly #open = new Map<string, Open>();

  /** Returns the result that carries the question. */
  ask(request: JsonRpcRequest, question: ApprovalQuestion, fingerprint: string): object {
    const state = `${KEY}.${randomBytes(24).toString('base64url')}`;
    const until = performance.now() + getApprovalTimeoutMs(question);
    this.#open.set(state, { request, question, fingerprint, until });
    if (this.#open.size > MAX_OPEN) this.#open.delete(this.#open.keys().next().value ?? '');
    return {
      resultType: 'input_required',
      inputRequests: {
        [KEY]: { method: 'elicitation/create', params: createElicitationParams(question) },
      },
      requestState: state,
    };
  }

  /** True if a request claims to answer a question of the proxy. */
  isAnswer({ params }: JsonRpcRequest): boolean {
    const state = params?.requestState;
    return typeof state === 'string' && state.startsWith(`${KEY}.`);
  }

  /** Consumes an answer. It is valid once, and only for the original call. */
  take(
    request: JsonRpcRequest,
    fingerprint: string,
  ): {
    readonly answer: Answer;
    readonly request: JsonRpcRequest;
    readonly question?: ApprovalQuestion;
  } {
    const state = String(request.params?.requestState);
    const open = this.#open.get(state);
    this.#open.delete(state);
    const refused = (why: string) => ({ answer: { refused: why }, request });
    if (!open) return refused('The question that this answers is not open any more.');
    if (performance.now() > open.until) return refused('Nobody answered in time.');
    if (open.fingerprint !== fingerprint) {
      return refused('The call is another one than the person was shown.');
    }
    const responses = request.params?.inputResponses;
    const given = isObject(responses) ? responses[KEY] : undefined;
    const { question } = open;
    return {
      answer: readAnswer(given, question),
      request: createRepeatedRequest(open.request, request),
      question,
    };
  }
}

/** The original call with the ID and progress token of its repetition. */
function createRepeatedRequest(first: JsonRpcRequest, repeated: JsonRpcRequest): JsonRpcRequest {
  const path = ['params', '_meta', 'progressToken'];
  const span = findSpanAt(repeated.bytes, path);
  const token = span && repeated.bytes.toString('utf8', span.start, span.end);
  return withId(token ? replaceValueAt(first, path, token) : first, repeated.id);
}
