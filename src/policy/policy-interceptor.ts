import { AgentCoreError, getErrorMessage } from '../base/errors.ts';
import { findSpanAt, readKeys } from '../mcp/json-spans.ts';
import {
  createErrorResponse,
  ErrorCode,
  isObject,
  type JsonObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseResult,
  type RequestId,
} from '../mcp/message.ts';
import {
  getProtocolEra,
  LISTS,
  type ListShape,
  parseListItems,
  withList,
} from '../mcp/protocol.ts';
import type { Conversation } from '../relay/conversation.ts';
import { CancelledError, type Interceptor, type Peer, type RequestContext } from '../relay/peer.ts';
import {
  type ApprovalOutcome,
  Approvals,
  type Approver,
  isSameAsk,
} from './approvals/approvals.ts';
import type { PolicyState } from './documents/document-set.ts';
import type { Policy } from './documents/model.ts';
import type { Receipt } from './engine/counters.ts';
import type { ApprovalRequirement, RuleMatch } from './engine/decision.ts';
import { getRequiredFacts, PolicyEngine, type PolicyEngineOptions } from './engine/engine.ts';
import { findHidingRule, getNamePrefixes } from './engine/evaluate.ts';
import { findSimilarKey, getSubjects, resemblesKnownMethod } from './engine/subjects.ts';

interface PolicyOptions extends PolicyEngineOptions {
  readonly conversation: Pick<Conversation, 'id' | 'elicitation'>;
  /** The policy documents in force. */
  readonly current: () => PolicyState;
  /** Fallback if the client does not support form elicitation. */
  readonly approver?: Approver | undefined;
  readonly now: () => number;
}

/**
 * Enforces the policies on every message of both sides. Denied tools, prompts and resources are
 * neither listed nor callable. A decision is repeated if the documents change before the message is
 * sent.
 */
export class PolicyInterceptor implements Interceptor {
  readonly #options: PolicyOptions;
  readonly #approvals: Approvals;
  readonly #engine: PolicyEngine;

  constructor(options: PolicyOptions) {
    this.#options = options;
    this.#engine = new PolicyEngine(options);
    this.#approvals = new Approvals(options.conversation, options.now, options.approver);
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.direction === 'to-client') return this.#fromServer(request, context, next);
    const judging: PendingDecision = { request, agreed: [], times: 0 };
    for (;;) {
      let judged: DecisionResult;
      try {
        judged = await this.#decideClientRequest(judging, context, next);
      } catch (thrown) {
        if (thrown instanceof CancelledError || context.signal.aborted) throw thrown;
        return this.#refuse(
          request,
          context,
          createMatchWithoutDocument(describeEvaluationError(thrown)),
        );
      }
      if ('response' in judged) return judged.response;
      const { receipt, policies } = judged;
      const check = this.#checkBeforeSend(policies, context);
      let response: JsonRpcResponse;
      try {
        response = await next.request(judging.request, { ...context, ...check });
      } catch (thrown) {
        if (check.isOutdated() || hasNoEffect(thrown)) this.#engine.release(receipt);
        if (check.isOutdated()) continue;
        throw thrown;
      }
      if (isRefused(response)) this.#engine.release(receipt);
      return this.#received(judging.request, response, judged, context);
    }
  }

  async notify(
    notification: JsonRpcNotification,
    context: RequestContext,
    next: Peer,
  ): Promise<void> {
    const { method, params } = notification;
    const { policies, failure } = this.#options.current();
    const from = context.direction === 'to-client' ? 'server' : 'client';
    if (from === 'server') {
      if (!getRequiredFacts(policies).methods) return next.notify(notification, context);
    } else if (!method.startsWith('notifications/') || resemblesKnownMethod(method)) {
      throw new AgentCoreError('usage', 'the policy lets no request pass as a notification');
    } else if (failure !== undefined) {
      throw new AgentCoreError('usage', describePolicyError(failure));
    }
    for (let times = 0; times < MAX_DECISIONS; times++) {
      const check = this.#checkBeforeSend(this.#options.current().policies, context);
      const ruling = await this.#findDenial(from, method, params ?? {});
      if (ruling) throw new AgentCoreError('usage', ruling.message);
      try {
        return await next.notify(notification, { ...context, ...check });
      } catch (thrown) {
        if (!check.isOutdated()) throw thrown;
      }
    }
    throw new AgentCoreError('usage', UNSETTLED);
  }

  /** True for an elicitation request of the policy itself, not of the server. */
  isOwnRequest(request: JsonRpcRequest): boolean {
    return this.#approvals.isOwn(request);
  }

  /** Decides a server request by its method alone. */
  async #fromServer(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (this.#approvals.isOwn(request)) return next.request(request, context);
    // The question to the person goes to the client, like the request.
    const towards = { ...context, sender: next };
    const ruling = await this.#findServerDenial(request.method, request.params ?? {}, (asks) =>
      this.#approvals.reviewServers(request, asks, () => this.#engine.shown(), towards),
    );
    recordDecision(context, ruling ? 'deny' : 'allow', ruling);
    return ruling ? createDeniedResponse(request, ruling) : next.request(request, context);
  }

  async #findServerDenial(
    method: string,
    params: JsonObject,
    review?: AskPerson,
  ): Promise<RuleMatch | undefined> {
    try {
      return await this.#findDenial('server', method, params, review);
    } catch (thrown) {
      if (thrown instanceof CancelledError) throw thrown;
      return createMatchWithoutDocument(describeEvaluationError(thrown));
    }
  }

  /**
   * Decides a message by its method, and counts it if it is allowed. Returns the denying rule, or
   * `undefined` if the message is allowed.
   *
   * @param review Asks a person. Without it, a required approval is a denial.
   */
  async #findDenial(
    from: 'client' | 'server',
    method: string,
    params: JsonObject,
    review?: AskPerson,
  ): Promise<RuleMatch | undefined> {
    let agreed: readonly ApprovalRequirement[] = [];
    for (let times = 0; times < MAX_DECISIONS; times++) {
      const { policies, failure } = this.#options.current();
      if (failure !== undefined) return createMatchWithoutDocument(describePolicyError(failure));
      const facts = await this.#engine.gather(policies, from, method, params);
      if (this.#isOutdated(policies)) continue;
      const decision = this.#engine.decide(facts, [], params);
      if (decision.effect === 'deny') return decision.ruling;
      const { asks, reservations } = decision;
      const open = getMissingApprovals(agreed, asks);
      const [ask] = open;
      if (ask) {
        const beyond = this.#engine.exceeded(reservations, facts);
        if (beyond) return beyond;
        const reviewed = (await review?.(open)) ?? { refused: NO_APPROVER };
        if (!('request' in reviewed)) {
          const why = 'refused' in reviewed ? reviewed.refused : NO_APPROVER;
          return { ...ask, message: joinSentences(ask.message, why) };
        }
        // Decide again: documents and counters may have changed while the person decided.
        agreed = [...agreed, ...open];
        continue;
      }
      const outcome = this.#engine.reserve(reservations, facts);
      return 'refused' in outcome ? outcome.refused : undefined;
    }
    return createMatchWithoutDocument(UNSETTLED);
  }

  /** Decides a client request and counts it. If allowed, `judging.request` is the one to send. */
  async #decideClientRequest(
    judging: PendingDecision,
    context: RequestContext,
    next: Peer,
  ): Promise<DecisionResult> {
    const { request: first } = judging;
    const refused = (by: RuleMatch): DecisionResult => ({
      response: this.#refuse(first, context, by),
    });
    const { method, params = {} } = first;
    const about = getSubjects(method, params);
    let isAsking = false;
    let askedBy: readonly Policy[] | undefined;
    while (judging.times++ < MAX_DECISIONS) {
      const { policies, failure } = this.#options.current();
      if (failure !== undefined)
        return refused(createMatchWithoutDocument(describePolicyError(failure)));
      if ('fault' in about) {
        recordDecision(context, 'deny', undefined);
        return { response: createInvalidParamsResponse(first, about.fault) };
      }
      const [subject] = about.subjects;
      if (subject) {
        await this.#engine.prepare(policies, subject, first, context, next, isAsking);
      }
      const facts = await this.#engine.gather(policies, 'client', method, params);
      // If a document has changed meanwhile, it may need other facts.
      if (this.#isOutdated(policies)) continue;
      const decision = this.#engine.decide(facts, about.subjects, about.arguments);
      if (decision.effect === 'deny') {
        const { ruling: match } = decision;
        if (askedBy === undefined || askedBy === policies) return refused(match);
        return refused({ ...match, message: joinSentences(CHANGED, match.message) });
      }

      const { asks, reservations } = decision;
      const open = getMissingApprovals(judging.agreed, asks);
      const [ask] = open;
      if (ask && !isAsking) {
        isAsking = true;
        if (subject) continue;
      }
      if (ask) {
        // If a limit denies the call anyway, do not ask a person.
        const beyond = this.#engine.exceeded(reservations, facts);
        if (beyond) return refused(beyond);
        const review = await this.#approvals.review(
          judging.request,
          open,
          () => this.#engine.shown(),
          context,
        );
        if ('result' in review) {
          recordDecision(context, 'ask', ask);
          return { response: createResultResponse(first.id, review.result) };
        }
        if ('refused' in review) {
          return refused({ ...ask, message: joinSentences(ask.message, review.refused) });
        }
        // Decide again: documents and counters may have changed while the person decided.
        judging.request = review.request;
        judging.agreed = [...judging.agreed, ...open];
        askedBy = policies;
        continue;
      }
      if (judging.agreed.length === 0 && this.#approvals.isAnswer(judging.request)) {
        return refused(
          createMatchWithoutDocument(
            'This answers a question of the policy that is not open any more.',
          ),
        );
      }
      const outcome = this.#engine.reserve(reservations, facts);
      if ('refused' in outcome) return refused(outcome.refused);
      recordDecision(context, asks.length > 0 ? 'approved' : 'allow', asks[0]);
      return { receipt: outcome.receipt, policies, wasAsked: asks.length > 0 };
    }
    return refused(createMatchWithoutDocument(UNSETTLED));
  }

  /** Checks the server's response. Removes hidden items, and denies server requests in it. */
  async #received(
    request: JsonRpcRequest,
    response: JsonRpcResponse,
    { wasAsked }: Allowed,
    context: RequestContext,
  ): Promise<JsonRpcResponse> {
    const span = response.error ? undefined : findSpanAt(response.bytes, ['result']);
    if (!span) return response;
    const shape = LISTS.get(request.method);
    const keys = readKeys(response.bytes, span);
    const odd = findSimilarKey(keys, shape ? [...ASKING, shape.member] : ASKING);
    if (odd !== undefined) {
      const quoted = JSON.stringify(odd.slice(0, 100));
      const sentence = `The server's answer has ${quoted}, which some take for another key`;
      return this.#refuse(request, context, createMatchWithoutDocument(sentence));
    }
    // In MCP 2026-07-28, results carry the server's requests. Some clients answer them without
    // checking `resultType`.
    if (keys.includes('inputRequests')) {
      const ruling = await this.#rulingOnInput(response);
      if (ruling) return this.#refuse(request, context, ruling);
    }
    if (shape) return this.#listed(request, response, shape, context);
    if (wasAsked && keys.includes('requestState')) {
      const { resultType, requestState } = parseResult(response) as JsonObject;
      if (resultType !== 'complete' && typeof requestState === 'string') {
        this.#approvals.continues(request, requestState);
      }
    }
    return response;
  }

  /** Returns the rule that denies a server request in a result; `undefined` if all are allowed. */
  async #rulingOnInput(response: JsonRpcResponse): Promise<RuleMatch | undefined> {
    const { inputRequests } = parseResult(response) as JsonObject;
    if (!isObject(inputRequests)) return createMatchWithoutDocument(NO_INPUT_REQUESTS);
    for (const one of Object.values(inputRequests)) {
      const isOdd =
        !isObject(one) || findSimilarKey(Object.keys(one), ['method', 'params']) !== undefined;
      if (isOdd || typeof one.method !== 'string')
        return createMatchWithoutDocument(NO_INPUT_REQUESTS);
      const ruling = await this.#findServerDenial(
        one.method,
        isObject(one.params) ? one.params : {},
      );
      if (ruling) return ruling;
    }
    return undefined;
  }

  /** Removes hidden items from a list result, by the documents in force at its arrival. */
  async #listed(
    request: JsonRpcRequest,
    response: JsonRpcResponse,
    shape: ListShape,
    context: RequestContext,
  ): Promise<JsonRpcResponse> {
    const items = parseListItems(response, shape);
    if (!items) {
      return createErrorResponse(request.id, {
        code: ErrorCode.internalError,
        message: `The server's answer to ${request.method} is no list`,
      });
    }
    const { policies, failure } = this.#options.current();
    if (failure !== undefined) {
      return this.#refuse(
        request,
        context,
        createMatchWithoutDocument(describePolicyError(failure)),
      );
    }
    const { caller } = await this.#engine.gather(policies, 'server', request.method, {});
    const party = { runtime: this.#options.runtime, caller };
    return withList(response, shape, items, (item) => {
      const name = item[shape.named];
      if (typeof name !== 'string' || findSimilarKey(Object.keys(item), [shape.named]))
        return undefined;
      const subject = { kind: shape.kind, name };
      if (findHidingRule(policies, subject, party)) return undefined;
      return getNamePrefixes(policies, subject, party).join('');
    });
  }

  /** Returns a `beforeSend` that stops the message if the documents changed after the decision. */
  #checkBeforeSend(policies: readonly Policy[], context: RequestContext) {
    let isOutdated = false;
    const beforeSend = () => {
      context.beforeSend?.();
      isOutdated = this.#isOutdated(policies);
      if (isOutdated) throw new AgentCoreError('usage', 'The policy has changed meanwhile');
    };
    return { beforeSend, isOutdated: () => isOutdated };
  }

  #isOutdated(policies: readonly Policy[]): boolean {
    return this.#options.current().policies !== policies;
  }

  #refuse(request: JsonRpcRequest, context: RequestContext, match: RuleMatch): JsonRpcResponse {
    recordDecision(context, 'deny', match);
    return createDeniedResponse(request, match);
  }
}

/** Asks a person to approve. */
type AskPerson = (asks: readonly ApprovalRequirement[]) => Promise<ApprovalOutcome>;

const CHANGED = 'The policy has changed since the person was asked.';

const NO_APPROVER = 'Nobody can be asked about it at this place.';

/** Maximum decisions for one message. Documents may change repeatedly while it waits. */
const MAX_DECISIONS = 10;

const UNSETTLED = 'The policy changed again and again while the message waited.';

/** Members of a result with server requests (MCP 2026-07-28). */
const ASKING = ['resultType', 'inputRequests', 'requestState'];

const NO_INPUT_REQUESTS = "The server's answer asks for something, and what it is cannot be told.";

/** A client request during its decisions. */
interface PendingDecision {
  /** The request to send. Changes if the client repeats it with a person's answer. */
  request: JsonRpcRequest;
  /** The approvals given so far. */
  agreed: readonly ApprovalRequirement[];
  /** Number of decisions so far. */
  times: number;
}

/** An allowed request, already counted. */
interface Allowed {
  readonly receipt: Receipt;
  readonly policies: readonly Policy[];
  readonly wasAsked: boolean;
}

type DecisionResult = { readonly response: JsonRpcResponse } | Allowed;

function getMissingApprovals(
  agreed: readonly ApprovalRequirement[],
  asks: readonly ApprovalRequirement[],
): readonly ApprovalRequirement[] {
  return asks.filter((ask) => !agreed.some((one) => isSameAsk(one, ask)));
}

/** Stores the decision in the call's facts, for the audit. */
function recordDecision(
  { call }: RequestContext,
  effect: string,
  ruling: RuleMatch | undefined,
): void {
  call.decision = { effect, rule: ruling?.pointer, document: ruling?.file };
}

/** Creates a denial for a reason outside the documents. */
function createMatchWithoutDocument(sentence: string): RuleMatch {
  return { file: '', pointer: '', message: sentence };
}

/** Joins two sentences. Adds a period if the first one has none. */
function joinSentences(one: string, other: string): string {
  return `${one}${/[.!?\u3002]$/.test(one) ? '' : '.'} ${other}`;
}

function describeEvaluationError(thrown: unknown): string {
  return `The policy could not be applied: ${getErrorMessage(thrown)}`;
}

function describePolicyError(failure: string): string {
  return `Nothing is allowed until the policy is mended: ${failure}`;
}

function createInvalidParamsResponse(request: JsonRpcRequest, fault: string): JsonRpcResponse {
  const message = `Refused by policy: ${request.method} cannot be judged, because ${fault}`;
  return createErrorResponse(request.id, { code: ErrorCode.invalidParams, message });
}

/**
 * True if the call failed without an effect, so it does not count against a limit. This is
 * documented for Intercept. A tool error is a result and counts.
 */
function isRefused({ error }: JsonRpcResponse): boolean {
  return error !== undefined && !(isObject(error.data) && error.data.outcome === 'unknown');
}

function hasNoEffect(thrown: unknown): boolean {
  const outcome = thrown instanceof AgentCoreError ? thrown.data?.outcome : undefined;
  return outcome === 'refused' || outcome === 'not sent';
}

/** Key of the denying rule in a result's `_meta`. */
const META = 'agentcore-mcp/policy';

/**
 * Creates the response to a denied request. For a tool call it is a tool result, because the model
 * reads it and can react. For other methods it is an error.
 */
function createDeniedResponse(
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
