import { randomBytes, randomUUID } from 'node:crypto';
import { getErrorMessage } from '../../base/errors.ts';
import { findSpanAt } from '../../mcp/json-spans.ts';
import {
  createRequest,
  isObject,
  type JsonObject,
  type JsonRpcRequest,
  parseResult,
  type RequestId,
  replaceValueAt,
  toRequestId,
  withId,
} from '../../mcp/message.ts';
import { parseElicitationSupport, REQUEST_PROGRESS_TOKEN } from '../../mcp/protocol.ts';
import { CancelledError, createContext, type RequestContext } from '../../relay/peer.ts';
import type { ApprovalStore, PendingApproval } from '../../state/store.ts';
import type { ApprovalQuestion } from '../engine/decision.ts';

/**
 * Channels to a person: MCP elicitation in both eras, and VS Code. Also the text, the form and the
 * answers of questions.
 */

/** A channel to a person: the client's elicitation, or VS Code. */
export interface Approver {
  /** Waits for the person's answer. Rejects if the call is cancelled. */
  ask(question: ApprovalQuestion, context: RequestContext): Promise<Answer>;
}

const CLIENT_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';

/** For stateless clients, whose requests carry the capabilities. True if the client shows forms. */
export function supportsFormsStateless(request: JsonRpcRequest): boolean {
  const meta = request.params?._meta;
  return parseElicitationSupport(isObject(meta) ? meta[CLIENT_CAPABILITIES] : undefined).form;
}

/** Asks a person by `elicitation/create` while the call waits. For clients with a handshake. */
export class Elicitation {
  /** Ids of the proxy's own requests. Rules for server requests do not apply to them. */
  readonly #own = new Set<string>();

  isOwn({ id }: JsonRpcRequest): boolean {
    return this.#own.has(id.key);
  }

  /** @throws {CancelledError} if the call is cancelled meanwhile. */
  async ask(question: ApprovalQuestion, { sender, signal }: RequestContext): Promise<Answer> {
    const timeoutMs = getApprovalTimeoutMs(question);
    const late = AbortSignal.timeout(timeoutMs);
    const id = toRequestId(JSON.stringify(`policy-${randomUUID()}`)) as RequestId;
    const request = createRequest(id, 'elicitation/create', createElicitationParams(question));
    this.#own.add(id.key);
    try {
      const context = createContext('to-client', { signal: AbortSignal.any([signal, late]) });
      const response = await sender.request(request, context);
      if (!response.error) return readAnswer(parseResult(response), question);
      return { refused: 'The client could not ask the person.' };
    } catch (thrown) {
      if (thrown instanceof CancelledError || signal.aborted) throw thrown;
      if (late.aborted) return { refused: `Nobody answered within ${timeoutMs / 1000} s.` };
      return { refused: `The person could not be asked: ${getErrorMessage(thrown)}.` };
    } finally {
      this.#own.delete(id.key);
    }
  }
}

function createElicitationParams(question: ApprovalQuestion): JsonObject {
  return { message: formatQuestion(question), requestedSchema: createQuestionSchema(question) };
}

/** Maximum open questions. The oldest are removed first. */
const MAX_OPEN = 1_000;

const KEY = 'agentcore-mcp-policy';

/** A question without an answer, and its call. */
interface Open {
  readonly request: JsonRpcRequest;
  readonly question: ApprovalQuestion;
  readonly fingerprint: string;
  /** Expiry time of the monotonic clock (`performance.now()`). */
  readonly until: number;
}

/**
 * Asks a person in MCP 2026-07-28. An `input_required` result contains the question, and the client
 * repeats the call with the answer. The proxy then sends the original call. From the repetition it
 * takes only the answer, the id and the progress token.
 */
export class InputRequired {
  readonly #open = new Map<string, Open>();

  /** Returns the result with the question. */
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

  /** True if a request is the answer to a question of the proxy, by its `requestState`. */
  isAnswer({ params }: JsonRpcRequest): boolean {
    const state = params?.requestState;
    return typeof state === 'string' && state.startsWith(`${KEY}.`);
  }

  /** Reads and removes an answer. It is valid once, and only for the original call. */
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

/**
 * Asks the person in VS Code through the state of all programs. For clients without form
 * elicitation. The user must enable it, because any program of the user could write an answer.
 */
export class StoredApprover implements Approver {
  readonly #store: ApprovalStore;
  readonly #hidesValues: () => boolean;

  /**
   * @param hidesValues True if a policy redacts values. The stored question then has no argument
   *   values.
   */
  constructor(store: ApprovalStore, hidesValues: () => boolean) {
    this.#store = store;
    this.#hidesValues = hidesValues;
  }

  /** Rejects with the signal's reason if the call is cancelled. */
  async ask(question: ApprovalQuestion, { signal }: RequestContext): Promise<Answer> {
    const timeoutMs = getApprovalTimeoutMs(question);
    const now = Date.now();
    const { tool, runtime, mayLast } = question;
    const pending: PendingApproval = {
      id: randomUUID(),
      at: new Date(now).toISOString(),
      until: new Date(now + timeoutMs).toISOString(),
      tool,
      runtime,
      text: formatQuestion(this.#hidesValues() ? withoutArgumentValues(question) : question),
      mayLast,
      pid: process.pid,
    };
    try {
      if (!(await this.#store.put(pending))) {
        return { refused: 'Too many calls wait for a person.' };
      }
      const given = await this.#store.wait(pending, signal);
      if (given === 'once' || (given === 'session' && mayLast)) return { agreed: given };
      if (given) return { refused: 'The person who was asked did not agree.' };
      return { refused: `Nobody answered within ${timeoutMs / 1000} s.` };
    } catch (thrown) {
      if (signal.aborted) throw signal.reason;
      return { refused: `The person could not be asked: ${getErrorMessage(thrown)}.` };
    } finally {
      await this.#store.remove(pending.id);
    }
  }
}

/** Replaces the values of the arguments, and keeps their names. */
function withoutArgumentValues(question: ApprovalQuestion): ApprovalQuestion {
  const value: unknown = JSON.parse(question.arguments);
  const names = isObject(value) ? Object.keys(value) : [];
  const shown = Object.fromEntries(names.map((name) => [name, '(not shown)']));
  return { ...question, arguments: JSON.stringify(shown) };
}

/** Returns the original call with the id and progress token of its repetition. */
function createRepeatedRequest(first: JsonRpcRequest, repeated: JsonRpcRequest): JsonRpcRequest {
  const span = findSpanAt(repeated.bytes, REQUEST_PROGRESS_TOKEN);
  const token = span && repeated.bytes.toString('utf8', span.start, span.end);
  return withId(token ? replaceValueAt(first, REQUEST_PROGRESS_TOKEN, token) : first, repeated.id);
}

/** The answer of a person. */
export type Answer =
  | { readonly agreed: 'once' | 'session' }
  /** The reason for the denial, as a sentence. */
  | { readonly refused: string };

/** Maximum characters of arguments in a question. */
const MAX_SHOWN_LENGTH = 4_000;

/** Formats the question. Invisible and bidirectional control characters are escaped. */
function formatQuestion(question: ApprovalQuestion): string {
  const { arguments: args, runtime, caller, approvals } = question;
  const shown = escapeInvisible(args);
  const more = shown.length - MAX_SHOWN_LENGTH;
  return [
    describeRequestedCall(question),
    `Why you are asked: ${approvals.map(({ message }) => message).join(' ')}`,
    `Server: ${runtime}`,
    `As: ${caller ?? 'the identity of this profile'}`,
    `Cost: the session it runs in is billed by AgentCore while it is in use.${formatSpending(question)}`,
    `Arguments: ${shown.slice(0, MAX_SHOWN_LENGTH)}${more > 0 ? ` … and ${more} characters more, not shown` : ''}`,
  ].join('\n');
}

function formatSpending({ spent }: ApprovalQuestion): string {
  if (!spent) return '';
  return ` Your sessions of today may have cost $${spent.usd.toFixed(2)} so far.`;
}

function describeRequestedCall({ from, method, tool }: ApprovalQuestion): string {
  const named = escapeInvisible(JSON.stringify(tool));
  if (from === 'server') return `The server asks the client for ${escapeInvisible(method)}.`;
  if (method === 'tools/call') return `An agent wants to call the tool ${named}.`;
  return `An agent asks for ${escapeInvisible(method)}${tool === method ? '' : ` of ${named}`}.`;
}

/** Creates the schema of the elicitation form. */
function createQuestionSchema({ mayLast }: ApprovalQuestion): JsonObject {
  const choices = mayLast ? ['once', 'session'] : ['once'];
  return {
    type: 'object',
    properties: {
      allow: {
        type: 'string',
        title: 'Allow',
        description: mayLast ? 'This call, or this tool until the session ends' : 'This call',
        enum: choices,
        default: 'once',
      },
    },
    required: ['allow'],
  };
}

/** Parses the result of an elicitation. Only an explicit choice is an approval. */
function readAnswer(result: unknown, { mayLast }: ApprovalQuestion): Answer {
  const { action, content } = (result ?? {}) as { action?: unknown; content?: unknown };
  if (action !== 'accept') return { refused: 'The person who was asked did not agree.' };
  const allow = (content as { allow?: unknown } | null | undefined)?.allow;
  if (allow === 'once') return { agreed: 'once' };
  if (allow === 'session' && mayLast) return { agreed: 'session' };
  return { refused: 'The answer of the person who was asked does not say what is allowed.' };
}

/** Maximum delay of a Node timer in milliseconds, about 25 days. A longer delay fires at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** Returns the shortest timeout of the required approvals, in milliseconds. */
function getApprovalTimeoutMs({ approvals }: Pick<ApprovalQuestion, 'approvals'>): number {
  return Math.min(MAX_WAIT_MS, ...approvals.map(({ timeout }) => timeout));
}

function escapeInvisible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
