import { randomUUID } from 'node:crypto';
import { getErrorMessage } from '../../error.ts';
import {
  createRequest,
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  parseResult,
  type RequestId,
  toRequestId,
} from '../../mcp/message.ts';
import { CancelledError, type Peer, type RequestContext } from '../../relay/peer.ts';
import {
  type Answer,
  type ApprovalQuestion,
  createQuestionSchema,
  formatQuestion,
  getApprovalTimeoutMs,
  readAnswer,
} from './question.ts';

const CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/**
 * True if the client supports form elicitation. An empty `elicitation` capability means forms (MCP
 * 2025-11-25, "Elicitation").
 */
export function supportsForms(capabilities: unknown): boolean {
  const elicitation = isObject(capabilities) ? capabilities.elicitation : undefined;
  if (!isObject(elicitation)) return false;
  return isObject(elicitation.form) || !isObject(elicitation.url);
}

/** Like {@link supportsForms}, for stateless clients: each request carries the capabilities. */
export function supportsFormsStateless(request: JsonRpcRequest): boolean {
  const meta = request.params?._meta;
  return supportsForms(isObject(meta) ? meta[CLIENT_CAPABILITIES] : undefined);
}

/** Asks a person by an elicitation request to the client while the call waits. */
export class Elicitation {
  /** IDs of the proxy's own requests. Rules for server requests do not apply to them. */
  readonly #own = new Set<string>();

  isOwn({ id }: JsonRpcRequest): boolean {
    return this.#own.has(id.key);
  }

  /** @throws {Cancelled} if the call is cancelled in the meantime. */
  async ask(question: ApprovalQuestion, { sender, signal }: RequestContext): Promise<Answer> {
    const patience = getApprovalTimeoutMs(question);
    const late = AbortSignal.timeout(patience);
    const id = toRequestId(JSON.stringify(`policy-${randomUUID()}`)) as RequestId;
    const request = createRequest(id, 'elicitation/create', createElicitationParams(question));
    this.#own.add(id.key);
    try {
      const exchange = { signal: AbortSignal.any([signal, late]), sender: nobody };
      const response = await sender.request(request, exchange);
      if (!response.error) return readAnswer(parseResult(response), question);
      return { refused: 'The client could not ask the person.' };
    } catch (thrown) {
      if (thrown instanceof CancelledError || signal.aborted) throw thrown;
      if (late.aborted) return { refused: `Nobody answered within ${patience / 1000} s.` };
      return { refused: `The person could not be asked: ${getErrorMessage(thrown)}.` };
    } finally {
      this.#own.delete(id.key);
    }
  }
}

export function createElicitationParams(question: ApprovalQuestion): JsonObject {
  return { message: formatQuestion(question), requestedSchema: createQuestionSchema(question) };
}

/** Return path of an elicitation: the client sends no requests while it answers. */
const nobody: Peer = {
  request: () => Promise.reject(new Error('an answer to a question asks nothing')),
  notify: () => Promise.resolve(),
};
