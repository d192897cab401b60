import { randomBytes } from 'node:crypto';
import { spanAt } from '../../mcp/json-spans.ts';
import { isObject, type Request, withId, withTokenAt } from '../../mcp/message.ts';
import { elicitationParams } from './elicitation.ts';
import { type Answer, patienceOf, type Question, readAnswer } from './question.ts';

/** Maximum open questions; the oldest are removed first. */
const MOST_OPEN = 1_000;
const KEY = 'agentcore-mcp-policy';

interface Open {
  readonly request: Request;
  readonly question: Question;
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
  ask(request: Request, question: Question, fingerprint: string): object {
    const state = `${KEY}.${randomBytes(24).toString('base64url')}`;
    const until = performance.now() + patienceOf(question);
    this.#open.set(state, { request, question, fingerprint, until });
    if (this.#open.size > MOST_OPEN) this.#open.delete(this.#open.keys().next().value ?? '');
    return {
      resultType: 'input_required',
      inputRequests: {
        [KEY]: { method: 'elicitation/create', params: elicitationParams(question) },
      },
      requestState: state,
    };
  }

  /** True if a request claims to answer a question of the proxy. */
  isAnswer({ params }: Request): boolean {
    const state = params?.requestState;
    return typeof state === 'string' && state.startsWith(`${KEY}.`);
  }

  /** Consumes an answer. It is valid once, and only for the original call. */
  take(
    request: Request,
    fingerprint: string,
  ): { readonly answer: Answer; readonly request: Request; readonly question?: Question } {
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
    return { answer: readAnswer(given, question), request: again(open.request, request), question };
  }
}

/** The original call with the ID and progress token of its repetition. */
function again(first: Request, repeated: Request): Request {
  const path = ['params', '_meta', 'progressToken'];
  const span = spanAt(repeated.bytes, path);
  const token = span && repeated.bytes.toString('utf8', span.start, span.end);
  return withId(token ? withTokenAt(first, path, token) : first, repeated.id);
}
