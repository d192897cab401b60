import { AgentCoreError } from '../base/errors.ts';
import {
  createErrorResponse,
  ErrorCode,
  isObject,
  type JsonRpcNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../mcp/message.ts';
import type { Conversation } from '../relay/conversation.ts';
import { CancelledError, type Interceptor, type Peer, type RequestContext } from '../relay/peer.ts';
import { Approvals, type FinalDecision } from './approvals/approvals.ts';
import type { Approver } from './approvals/approvers.ts';
import type { Policy } from './documents/model.ts';
import {
  type ApprovalRequirement,
  deny,
  type PolicyInput,
  type RuleMatch,
  UNSETTLED,
} from './engine/decision.ts';
import { denyAfterError, PolicyEngine, type PolicyEngineOptions } from './engine/engine.ts';
import { resemblesKnownMethod } from './engine/subjects.ts';
import { createDeniedResponse, createResultResponse, ResultFilter } from './result-filter.ts';

interface PolicyOptions extends PolicyEngineOptions {
  readonly conversation: Pick<Conversation, 'id' | 'elicitation'>;
  /** Fallback if the client does not support form elicitation. */
  readonly approver?: Approver | undefined;
}

/** Maximum decisions about one message. Documents may change repeatedly before it is sent. */
const MAX_DECISIONS = 10;

/**
 * Enforces the policies on every message of both sides. Denied tools, prompts and resources are
 * neither listed nor callable. A decision is repeated if the documents change before the message is
 * sent.
 */
export class PolicyInterceptor implements Interceptor {
  readonly #engine: PolicyEngine;
  readonly #approvals: Approvals;
  readonly #results: ResultFilter;

  constructor(options: PolicyOptions) {
    this.#engine = new PolicyEngine(options);
    this.#approvals = new Approvals(this.#engine, options.conversation, options.approver);
    this.#results = new ResultFilter(this.#engine, this.#approvals);
  }

  async request(
    request: JsonRpcRequest,
    context: RequestContext,
    next: Peer,
  ): Promise<JsonRpcResponse> {
    if (context.direction === 'to-client') return this.#fromServer(request, context, next);
    const { method, params = {} } = request;
    const lookup = { message: request, context, server: next };
    let approved: readonly ApprovalRequirement[] = [];
    let current = request;
    for (let times = 0; times < MAX_DECISIONS; times++) {
      const input = { from: 'client', method, params, request: lookup, approved } as const;
      const decision = await this.#decide(input, current, context);
      recordDecision(context, decision);
      if (decision.effect !== 'allow') return createResponse(request, decision);
      const { receipt, approvals } = decision;
      current = decision.request ?? request;
      approved = decision.approved;
      const check = this.#checkBeforeSend(decision.policies, context);
      let response: JsonRpcResponse;
      try {
        response = await next.request(current, check.context);
      } catch (thrown) {
        if (check.isOutdated() || hasNoEffect(thrown)) await this.#engine.release(receipt);
        if (check.isOutdated()) continue;
        throw thrown;
      }
      if (isRefused(response)) await this.#engine.release(receipt);
      const result = await this.#results.apply(current, response, approvals.length > 0);
      if ('response' in result) return result.response;
      recordDecision(context, result);
      return createDeniedResponse(current, result.match);
    }
    const denial = deny(UNSETTLED);
    recordDecision(context, denial);
    return createDeniedResponse(request, denial.match);
  }

  async notify(
    notification: JsonRpcNotification,
    context: RequestContext,
    next: Peer,
  ): Promise<void> {
    const { method, params = {} } = notification;
    const from = context.direction === 'to-client' ? 'server' : 'client';
    if (from === 'server') {
      if (!this.#engine.hasMethodRules) return next.notify(notification, context);
    } else if (!method.startsWith('notifications/') || resemblesKnownMethod(method)) {
      throw new AgentCoreError('usage', 'the policy lets no request pass as a notification');
    }
    for (let times = 0; times < MAX_DECISIONS; times++) {
      const decision = await this.#approvals.decide({ from, method, params, approved: [] });
      if (decision.effect !== 'allow') {
        throw new AgentCoreError('usage', getMatch(decision)?.message ?? UNSETTLED);
      }
      const check = this.#checkBeforeSend(decision.policies, context);
      try {
        return await next.notify(notification, check.context);
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
    const { method, params = {} } = request;
    // The question to the person goes to the client, like the request.
    const toClient = { ...context, sender: next };
    const decision = await this.#decide(
      { from: 'server', method, params, approved: [] },
      request,
      toClient,
    );
    if (decision.effect === 'allow') {
      recordDecision(context, { ...decision, approvals: [] });
      return next.request(request, context);
    }
    recordDecision(context, decision);
    return createResponse(request, decision);
  }

  /** Denies the request if the decision fails. */
  async #decide(
    input: PolicyInput,
    request: JsonRpcRequest,
    context: RequestContext,
  ): Promise<FinalDecision> {
    try {
      return await this.#approvals.decide(input, { request, context });
    } catch (thrown) {
      if (thrown instanceof CancelledError || context.signal.aborted) throw thrown;
      return denyAfterError(thrown);
    }
  }

  /** Adds a `beforeSend` that stops the message if the documents changed after the decision. */
  #checkBeforeSend(policies: readonly Policy[], context: RequestContext) {
    let isOutdated = false;
    const beforeSend = () => {
      context.beforeSend?.();
      isOutdated = this.#engine.isOutdated(policies);
      if (isOutdated) throw new AgentCoreError('usage', 'The policy has changed meanwhile');
    };
    return { context: { ...context, beforeSend }, isOutdated: () => isOutdated };
  }
}

/** Stores the decision in the call's facts, for the audit. */
function recordDecision({ call }: RequestContext, decision: FinalDecision): void {
  const isApproved = decision.effect === 'allow' && decision.approvals.length > 0;
  const effect = isApproved ? 'approved' : decision.effect === 'invalid' ? 'deny' : decision.effect;
  const match = getMatch(decision);
  call.decision = { effect, rule: match?.pointer, document: match?.file };
}

function getMatch(decision: FinalDecision): RuleMatch | undefined {
  if (decision.effect === 'invalid') return undefined;
  return decision.effect === 'allow' ? decision.approvals[0] : decision.match;
}

function createResponse(
  request: JsonRpcRequest,
  decision: Exclude<FinalDecision, { effect: 'allow' }>,
): JsonRpcResponse {
  switch (decision.effect) {
    case 'ask':
      return createResultResponse(request.id, decision.result);
    case 'deny':
      return createDeniedResponse(request, decision.match);
    case 'invalid':
      return createErrorResponse(request.id, {
        code: ErrorCode.invalidParams,
        message: `Refused by policy: ${request.method} is invalid: ${decision.reason}`,
      });
  }
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
