import { createHash } from 'node:crypto';
import { findSpanAt } from '../../mcp/json-spans.ts';
import type { JsonRpcRequest } from '../../mcp/message.ts';
import { getProtocolEra } from '../../mcp/protocol.ts';
import type { Conversation } from '../../relay/conversation.ts';
import type { RequestContext } from '../../relay/peer.ts';
import {
  type ApprovalQuestion,
  type ApprovalRequirement,
  deny,
  joinSentences,
  type PolicyDecision,
  type PolicyInput,
  type RuleMatch,
  UNSETTLED,
} from '../engine/decision.ts';
import { coversApproval, type PolicyEngine } from '../engine/engine.ts';
import {
  type Answer,
  type Approver,
  Elicitation,
  InputRequired,
  supportsFormsStateless,
} from './approvers.ts';

/** Maximum stored answers of each kind. The oldest are removed first. */
const MAX_REMEMBERED = 1_000;

/** Maximum questions about one message. Documents may change while a person decides. */
const MAX_QUESTIONS = 10;

/** The outcome of a required approval. */
type ApprovalOutcome =
  /** Approved: send this request. */
  | { readonly request: JsonRpcRequest }
  /**
   * Return this result, which contains the question. The client repeats the call with an answer.
   */
  | { readonly result: object }
  /** Denied, for this reason. */
  | { readonly refused: string };

/** A decision after the answers of persons. */
export type FinalDecision =
  | Extract<PolicyDecision, { effect: 'deny' | 'invalid' }>
  /** The client must repeat the call with an answer to the question in `result`. */
  | { readonly effect: 'ask'; readonly match: RuleMatch; readonly result: object }
  | (Extract<PolicyDecision, { effect: 'allow' }> & {
      /** The request to send: the original one if the client has repeated it with an answer. */
      readonly request: JsonRpcRequest | undefined;
      /** The approvals given so far. */
      readonly approved: readonly ApprovalRequirement[];
    });

/** A request, and its context if a person may be asked about it. */
interface Person {
  readonly request: JsonRpcRequest;
  /** `sender` receives the question: the client for all requests. */
  readonly context: RequestContext;
}

/**
 * Decides messages, and obtains the required approvals: asks a person by the best channel of the
 * client, and stores the answers.
 */
export class Approvals {
  readonly #engine: PolicyEngine;
  readonly #conversation: Pick<Conversation, 'elicitation'>;
  readonly #elicitation = new Elicitation();
  readonly #inputRequired = new InputRequired();
  readonly #other: Approver | undefined;
  /** Tools approved for the session. */
  readonly #agreed = new Set<string>();
  /** Declined calls, with the time from which on a new question is possible. */
  readonly #declined = new Map<string, number>();
  /** Approved calls with an `input_required` result of the server. The client will repeat them. */
  readonly #continued = new Set<string>();

  /** @param other Fallback if the client does not support form elicitation. */
  constructor(
    engine: PolicyEngine,
    conversation: Pick<Conversation, 'elicitation'>,
    other?: Approver,
  ) {
    this.#engine = engine;
    this.#conversation = conversation;
    this.#other = other;
  }

  isOwn(request: JsonRpcRequest): boolean {
    return this.#elicitation.isOwn(request);
  }

  /**
   * Approves one repetition of a call with this `requestState`, for input that the server needs.
   */
  continues(request: JsonRpcRequest, requestState: string): void {
    this.#continued.add(getContinuationKey(getFingerprint(request), requestState));
    evictOldest(this.#continued);
  }

  /**
   * Decides a message, and counts it if it is allowed.
   *
   * @param person If `undefined`, a required approval is a denial.
   */
  async decide(message: PolicyInput, person?: Person): Promise<FinalDecision> {
    let input = message;
    let request = person?.request;
    for (let times = 0; times < MAX_QUESTIONS; times++) {
      const decision = await this.#engine.evaluate(input);
      if (decision.effect === 'allow') {
        const { approved } = input;
        if (request && approved.length === 0 && this.#isAnswer(request)) {
          await this.#engine.release(decision.receipt);
          return deny(NOT_OPEN);
        }
        return { ...decision, request, approved };
      }
      if (decision.effect !== 'ask') return decision;
      const { approvals, policies } = decision;
      const [match] = approvals;
      const outcome: ApprovalOutcome =
        person && request
          ? await this.#review(request, approvals, person.context)
          : { refused: NO_APPROVER };
      if ('result' in outcome) return { effect: 'ask', match, result: outcome.result };
      if ('refused' in outcome) {
        const message = joinSentences(match.message, outcome.refused);
        return { effect: 'deny', match: { ...match, message } };
      }
      // Decide again: documents and counters may have changed while the person decided.
      request = outcome.request;
      input = { ...input, approved: [...input.approved, ...approvals], approvedFor: policies };
    }
    return deny(UNSETTLED);
  }

  /** Uses stored answers if there are any, and asks a person otherwise. */
  async #review(
    request: JsonRpcRequest,
    approvals: readonly ApprovalRequirement[],
    context: RequestContext,
  ): Promise<ApprovalOutcome> {
    if (context.direction === 'to-client') return this.#ask(request, approvals, context);
    const fingerprint = getFingerprint(request);
    if (this.#isAnswer(request)) {
      const taken = this.#inputRequired.take(request, fingerprint);
      const answered = taken.question?.approvals ?? [];
      this.#remember(answered, request, fingerprint, taken.answer);
      if ('refused' in taken.answer) return taken.answer;
      const isComplete = approvals.every(
        (one) => answered.some(coversApproval(one)) || this.#isAgreed(one, request),
      );
      if (isComplete) return { request: taken.request };
      return { refused: 'The policy has changed since the person was asked.' };
    }
    // One repetition only, like the approval itself.
    if (this.#continued.delete(getContinuationKey(fingerprint, request.params?.requestState))) {
      return { request };
    }
    return this.#ask(request, approvals, context);
  }

  async #ask(
    request: JsonRpcRequest,
    approvals: readonly ApprovalRequirement[],
    context: RequestContext,
  ): Promise<ApprovalOutcome> {
    const { method, params, bytes } = request;
    const fingerprint = getFingerprint(request);
    const open = approvals.filter((one) => !this.#isAgreed(one, request));
    if (open.length === 0) return { request };
    const isDeclined = (one: ApprovalRequirement) =>
      (this.#declined.get(getCallKey(one, fingerprint)) ?? 0) > Date.now();
    if (open.some(isDeclined)) {
      return { refused: 'The person who was asked did not agree to this call a moment ago.' };
    }
    const span =
      findSpanAt(bytes, ['params', 'arguments']) ??
      (method === 'tools/call' ? undefined : findSpanAt(bytes, ['params']));
    const from = context.direction === 'to-client' ? 'server' : 'client';
    const question: ApprovalQuestion = {
      ...(await this.#engine.describe()),
      from,
      method,
      tool: String(params?.name ?? params?.uri ?? method),
      arguments: span ? bytes.toString('utf8', span.start, span.end) : '{}',
      approvals: open,
      mayLast: open.every(({ per }) => per === 'session'),
    };
    if (
      from === 'client' &&
      getProtocolEra(request) === 'stateless' &&
      supportsFormsStateless(request) &&
      canAskBack(request)
    ) {
      return { result: this.#inputRequired.ask(request, question, fingerprint) };
    }
    const approver = this.#approverFor(request);
    if (!approver) return { refused: 'The client cannot ask a person (no elicitation).' };
    const answer = await approver.ask(question, context);
    this.#remember(open, request, fingerprint, answer);
    return 'refused' in answer ? answer : { request };
  }

  /** True if a request is the answer to a question, by its `requestState`. */
  #isAnswer(request: JsonRpcRequest): boolean {
    return request.params?.requestState !== undefined && this.#inputRequired.isAnswer(request);
  }

  #approverFor(request: JsonRpcRequest): Approver | undefined {
    if (getProtocolEra(request) === 'handshake' && this.#conversation.elicitation.form)
      return this.#elicitation;
    return this.#other;
  }

  #isAgreed(approval: ApprovalRequirement, request: JsonRpcRequest): boolean {
    return this.#agreed.has(getToolKey(approval, request));
  }

  /**
   * Stores an answer. An approval applies to this call or to the session. A decline stays valid for
   * a while, so repeated questions cannot wear the person down.
   */
  #remember(
    approvals: readonly ApprovalRequirement[],
    request: JsonRpcRequest,
    fingerprint: string,
    answer: Answer,
  ): void {
    for (const one of approvals) {
      if ('refused' in answer) {
        if (one.dedupe > 0)
          this.#declined.set(getCallKey(one, fingerprint), Date.now() + one.dedupe);
      } else if (answer.agreed === 'session') {
        this.#agreed.add(getToolKey(one, request));
      }
    }
    evictOldest(this.#agreed);
    evictOldest(this.#declined);
  }
}

const NO_APPROVER = 'Nobody can be asked about it at this place.';

const NOT_OPEN = 'This answers a question of the policy that is not open any more.';

function evictOldest(remembered: Map<string, number> | Set<string>): void {
  for (const key of remembered.keys()) {
    if (remembered.size <= MAX_REMEMBERED) return;
    remembered.delete(key);
  }
}

/** True for methods whose result may request input in MCP 2026-07-28. */
function canAskBack({ method }: JsonRpcRequest): boolean {
  return method === 'tools/call' || method === 'prompts/get' || method === 'resources/read';
}

function getContinuationKey(fingerprint: string, requestState: unknown): string {
  return JSON.stringify([fingerprint, typeof requestState === 'string' ? requestState : null]);
}

/** Key of an approval for the session. It changes with the rule or the tool's definition. */
function getToolKey(
  { file, pointer, message, definition }: ApprovalRequirement,
  { method, params }: JsonRpcRequest,
): string {
  return JSON.stringify([file, pointer, message, definition, method, params?.name ?? params?.uri]);
}

function getCallKey({ file, pointer }: ApprovalRequirement, fingerprint: string): string {
  return JSON.stringify([file, pointer, fingerprint]);
}

/** Hash that identifies a call by its method, name, and the exact bytes of the arguments. */
function getFingerprint(request: JsonRpcRequest): string {
  const { method, params, bytes } = request;
  // Exclude other params: they differ if the client repeats the request with an answer.
  const span =
    findSpanAt(bytes, ['params', 'arguments']) ??
    (canAskBack(request) ? undefined : findSpanAt(bytes, ['params']));
  const hash = createHash('sha256').update(JSON.stringify([method, params?.name, params?.uri]));
  if (span) hash.update(bytes.subarray(span.start, span.end));
  return hash.digest('base64url');
}
