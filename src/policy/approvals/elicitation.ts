import { randomUUID } from 'node:crypto';
import { messageOf } from '../../error.ts';
import {
  isObject,
  type JsonObject,
  makeRequest,
  type Request,
  type RequestId,
  resultOf,
  toRequestId,
} from '../../mcp/message.ts';
import { Cancelled, type Exchange, type Peer } from '../../relay/peer.ts';
import {
  type Answer,
  patienceOf,
  type Question,
  questionSchema,
  questionText,
  readAnswer,
} from './question.ts';

const CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/**
 * True if the client supports form elicitation. An empty `elicitation` capability means forms (MCP
 * 2025-11-25, "Elicitation").
 */
export function showsForms(capabilities: unknown): boolean {
  const elicitation = isObject(capabilities) ? capabilities.elicitation : undefined;
  if (!isObject(elicitation)) return false;
  return isObject(elicitation.form) || !isObject(elicitation.url);
}

/** Like {@link showsForms}, for stateless clients: each request carries the capabilities. */
export function showsFormsStateless(request: Request): boolean {
  const meta = request.params?._meta;
  return showsForms(isObject(meta) ? meta[CLIENT_CAPABILITIES] : undefined);
}

/** Asks a person by an elicitation request to the client while the call waits. */
export class Elicitation {
  /** IDs of the proxy's own requests. Rules for server requests do not apply to them. */
  readonly #own = new Set<string>();

  isOwn({ id }: Request): boolean {
    return this.#own.has(id.key);
  }

  /** @throws {Cancelled} if the call is cancelled in the meantime. */
  async ask(question: Question, { back, signal }: Exchange): Promise<Answer> {
    const patience = patienceOf(question);
    const late = AbortSignal.timeout(patience);
    const id = toRequestId(JSON.stringify(`policy-${randomUUID()}`)) as RequestId;
    const request = makeRequest(id, 'elicitation/create', elicitationParams(question));
    this.#own.add(id.key);
    try {
      const exchange = { signal: AbortSignal.any([signal, late]), back: nobody };
      const response = await back.request(request, exchange);
      if (!response.error) return readAnswer(resultOf(response), question);
      return { refused: 'The client could not ask the person.' };
    } catch (thrown) {
      if (thrown instanceof Cancelled || signal.aborted) throw thrown;
      if (late.aborted) return { refused: `Nobody answered within ${patience / 1000} s.` };
      return { refused: `The person could not be asked: ${messageOf(thrown)}.` };
    } finally {
      this.#own.delete(id.key);
    }
  }
}

export function elicitationParams(question: Question): JsonObject {
  return { message: questionText(question), requestedSchema: questionSchema(question) };
}

/** Return path of an elicitation: the client sends no requests while it answers. */
const nobody: Peer = {
  request: () => Promise.reject(new Error('an answer to a question asks nothing')),
  notify: () => Promise.resolve(),
};
