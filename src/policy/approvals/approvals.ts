import { createHash } from 'node:crypto';
import { findSpanAt } from '../../mcp/json-spans.ts';
import type { JsonRpcRequest } from '../../mcp/message.ts';
import { getProtocolEra } from '../../mcp/protocol.ts';
import type { Conversation } from '../../relay/conversation.ts';
import type { RequestContext } from '../../relay/peer.ts';
import type { ApprovalDetails, ApprovalQuestion, ApprovalRequirement } from '../engine/decision.ts';
import { type Answer, Elicitation, InputRequired, supportsFormsStateless } from './elicitation.ts';

/** Maximum stored answers of each kind. The oldest are removed first. */
const MAX_REMEMBERED = 1_000;

/** The outcome of a required approval. */
export type ApprovalOutcome =
  /** Approved: send this request. */
  | { readonly request: JsonRpcRequest }
  /**
   * Return this result, which contains the question. The client repeats the call with an answer.
   */
  | { readonly result: object }
  /** Denied, for this reason. */
  | { readonly refused: string };

/** A channel to a person: the client's elicitation, or VS Code. */
export interface Approver {
  /** Waits for the person's answer. Rejects if the call is cancelled. */
  ask(question: ApprovalQuestion, context: RequestContext): Promise<Answer>;
}

/** Obtains approvals: asks a person by the best channel of the client, and stores the answers. */
export class Approvals {
  readonly #conversation: Pick<Conversation, 'elicitation'>;
  readonly #elicitation = new Elicitation();
  readonly #inputRequired = new InputRequired();
  readonly #other: Approver | undefined;
  readonly #now: () => number;
  /** Tools approved for the session. */
  readonly #agreed = new Set<string>();
  /** Declined calls, with the time from which on a new question is possible. */
  readonly #declined = new Map<string, number>();
  /** Approved calls with an `input_required` result of the server. The client will repeat them. */
  readonly #continued = new Set<string>();

  /** @param other Fallback if the client does not support form elicitation. */
  constructor(
    conversation: Pick<Conversation, 'elicitation'>,
    now: () => number,
    other?: Approver,
  ) {
    this.#conversation = conversation;
    this.#now = now;
    this.#other = other;
  }

  isOwn(request: JsonRpcRequest): boolean {
    return this.#elicitation.isOwn(request);
  }

  isAnswer(request: JsonRpcRequest): boolean {
    return this.#inputRequired.isAnswer(request);
  }

  /**
   * Approves one repetition of a call with this `requestState`, for input that the server needs.
   */
  continues(request: JsonRpcRequest, requestState: string): void {
    this.#continued.add(getContinuationKey(getFingerprint(request), requestState));
    evictOldest(this.#continued);
  }

  /**
   * Obtains the approvals of a client request. Uses stored answers if there are any, and asks a
   * person otherwise.
   *
   * @param shown Returns details for the question.
   */
  async review(
    request: JsonRpcRequest,
    asks: readonly ApprovalRequirement[],
    shown: () => Promise<ApprovalDetails>,
    context: RequestContext,
  ): Promise<ApprovalOutcome> {
    const fingerprint = getFingerprint(request);
    if (this.#inputRequired.isAnswer(request)) {
      const taken = this.#inputRequired.take(request, fingerprint);
      const answered = taken.question?.asks ?? [];
      this.#remember(answered, request, fingerprint, taken.answer);
      if ('refused' in taken.answer) return taken.answer;
      const isComplete = asks.every(
        (ask) => answered.some((one) => isSameAsk(one, ask)) || this.#isAgreed(ask, request),
      );
      if (isComplete) return { request: taken.request };
      return { refused: 'The policy has changed since the person was asked.' };
    }
    // One repetition only, like the approval itself.
    if (this.#continued.delete(getContinuationKey(fingerprint, request.params?.requestState))) {
      return { request };
    }
    return this.#ask(request, asks, shown, 'client', context);
  }

  /**
   * Like {@link review}, for a server request. `context.sender` must be the client.
   */
  reviewServers(
    request: JsonRpcRequest,
    asks: readonly ApprovalRequirement[],
    shown: () => Promise<ApprovalDetails>,
    context: RequestContext,
  ): Promise<ApprovalOutcome> {
    return this.#ask(request, asks, shown, 'server', context);
  }

  async #ask(
    request: JsonRpcRequest,
    asks: readonly ApprovalRequirement[],
    shown: () => Promise<ApprovalDetails>,
    from: ApprovalQuestion['from'],
    context: RequestContext,
  ): Promise<ApprovalOutcome> {
    const { method, params, bytes } = request;
    const fingerprint = getFingerprint(request);
    const open = asks.filter((ask) => !this.#isAgreed(ask, request));
    if (open.length === 0) return { request };
    if (open.some((ask) => (this.#declined.get(getCallKey(ask, fingerprint)) ?? 0) > this.#now())) {
      return { refused: 'The person who was asked did not agree to this call a moment ago.' };
    }
    const span =
      findSpanAt(bytes, ['params', 'arguments']) ??
      (method === 'tools/call' ? undefined : findSpanAt(bytes, ['params']));
    const question: ApprovalQuestion = {
      ...(await shown()),
      from,
      method,
      tool: String(params?.name ?? params?.uri ?? method),
      arguments: span ? bytes.toString('utf8', span.start, span.end) : '{}',
      asks: open,
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

  #approverFor(request: JsonRpcRequest): Approver | undefined {
    if (getProtocolEra(request) === 'handshake' && this.#conversation.elicitation.form)
      return this.#elicitation;
    return this.#other;
  }

  #isAgreed(ask: ApprovalRequirement, request: JsonRpcRequest): boolean {
    return this.#agreed.has(getToolKey(ask, request));
  }

  /**
   * Stores an answer. An approval applies to this call or to the session. A decline stays valid for
   * a while, so repeated questions cannot wear the person down.
   */
  #remember(
    asks: readonly ApprovalRequirement[],
    request: JsonRpcRequest,
    fingerprint: string,
    answer: Answer,
  ): void {
    for (const ask of asks) {
      if ('refused' in answer) {
        if (ask.dedupe > 0)
          this.#declined.set(getCallKey(ask, fingerprint), this.#now() + ask.dedupe);
      } else if (answer.agreed === 'session') {
        this.#agreed.add(getToolKey(ask, request));
      }
    }
    evictOldest(this.#agreed);
    evictOldest(this.#declined);
  }
}

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

/** True if an approval of one also covers the other. */
export function isSameAsk(one: ApprovalRequirement, other: ApprovalRequirement): boolean {
  return (
    one.file === other.file &&
    one.pointer === other.pointer &&
    one.message === other.message &&
    one.definition === other.definition
  );
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
