import { AgentCoreError, messageOf } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { keysOf, spanAt } from '../mcp/json-spans.ts';
import {
  isObject,
  type JsonObject,
  makeError,
  type Notification,
  type Request,
  type Response,
  resultOf,
} from '../mcp/message.ts';
import type { Interceptor, Passage } from '../relay/interceptors.ts';
import { Cancelled, type Peer } from '../relay/peer.ts';
import { Approvals, type Approver, isSameAsk, type Review } from './approvals/approvals.ts';
import type { Receipt } from './counters/counters.ts';
import { hiddenBy, prefixesOf } from './decisions/decide.ts';
import type { Ask, Ruling } from './decisions/facts.ts';
import { resemblesKnownMethod } from './decisions/known-methods.ts';
import { oddKey, subjectsOf } from './decisions/subjects.ts';
import type { Policy } from './documents/policy.ts';
import type { PolicyState } from './documents/policy-set.ts';
import { Judge, type JudgeOptions } from './judge.ts';
import { itemsOf, LISTS, type ListShape, withList } from './lists.ts';
import { needsOf } from './needs.ts';
import { makeResult, refusal } from './refusals.ts';

export interface PolicyOptions extends JudgeOptions {
  /** The policy documents in force. */
  readonly current: () => PolicyState;
  /** Fallback if the client does not support form elicitation. */
  readonly approver?: Approver | undefined;
  readonly now: () => number;
}

/**
 * Enforces the policies on each message in its final form, before it leaves the machine. Items that
 * a policy denies are neither listed nor callable.
 */
export class PolicyInterceptor implements Interceptor {
  readonly #options: PolicyOptions;
  readonly #approvals: Approvals;
  readonly #judge: Judge;

  constructor(options: PolicyOptions) {
    this.#options = options;
    this.#judge = new Judge(options);
    this.#approvals = new Approvals(options.now, options.approver);
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (passage.from === 'server') return this.#fromServer(request, passage, next);
    if (request.method === 'initialize') this.#approvals.learn(request.params);
    const judging: Judging = { request, agreed: [], times: 0 };
    for (;;) {
      let judged: Judged;
      try {
        judged = await this.#judged(judging, passage, next);
      } catch (thrown) {
        if (thrown instanceof Cancelled || passage.signal.aborted) throw thrown;
        return this.#refuse(request, passage, nobodys(notApplied(thrown)));
      }
      if ('response' in judged) return judged.response;
      const { receipt, policies } = judged;
      const check = this.#checkBeforeSend(policies, passage);
      let response: Response;
      try {
        response = await next.request(judging.request, { ...passage, ...check });
      } catch (thrown) {
        if (check.isOutdated() || hadNoEffect(thrown)) this.#judge.release(receipt);
        if (check.isOutdated()) continue;
        throw thrown;
      }
      if (isRefused(response)) this.#judge.release(receipt);
      return this.#received(judging.request, response, judged, passage);
    }
  }

  async notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    const { method, params } = notification;
    const { policies, failure } = this.#options.current();
    if (passage.from === 'server') {
      if (method === 'notifications/tools/list_changed') this.#judge.tools.forget();
      if (method === 'notifications/prompts/list_changed') this.#judge.prompts.forget();
      if (!needsOf(policies).methods) return next.notify(notification, passage);
    } else if (!method.startsWith('notifications/') || resemblesKnownMethod(method)) {
      throw new AgentCoreError('usage', 'the policy lets no request pass as a notification');
    } else if (failure !== undefined) {
      throw new AgentCoreError('usage', notMended(failure));
    }
    for (let times = 0; times < MAX_JUDGEMENTS; times++) {
      const check = this.#checkBeforeSend(this.#options.current().policies, passage);
      const ruling = await this.#rulingOn(passage.from, method, params ?? {});
      if (ruling) throw new AgentCoreError('usage', ruling.sentence);
      try {
        return await next.notify(notification, { ...passage, ...check });
      } catch (thrown) {
        if (!check.isOutdated()) throw thrown;
      }
    }
    throw new AgentCoreError('usage', UNSETTLED);
  }

  /** True for an elicitation request of the policy itself, not of the server. */
  isOwnQuestion(request: Request): boolean {
    return this.#approvals.isOwn(request);
  }

  /** Decides requests of the server by their method alone. */
  async #fromServer(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (this.#approvals.isOwn(request)) return next.request(request, passage);
    // The request goes to the client, and so does the question to the person.
    const towards = { ...passage, back: next };
    const ruling = await this.#rulingOnServer(request.method, request.params ?? {}, (asks) =>
      this.#approvals.reviewServers(request, asks, () => this.#judge.shown(), towards),
    );
    put(passage, ruling ? 'deny' : 'allow', ruling);
    return ruling ? refusal(request, ruling) : next.request(request, passage);
  }

  async #rulingOnServer(
    method: string,
    params: JsonObject,
    review?: AskPerson,
  ): Promise<Ruling | undefined> {
    try {
      return await this.#rulingOn('server', method, params, review);
    } catch (thrown) {
      if (thrown instanceof Cancelled) throw thrown;
      return nobodys(notApplied(thrown));
    }
  }

  /**
   * Decides a message by its method. Returns the ruling that denies it; otherwise counts the
   * message against its limits.
   */
  async #rulingOn(
    from: Passage['from'],
    method: string,
    params: JsonObject,
    review?: AskPerson,
  ): Promise<Ruling | undefined> {
    let agreed: readonly Ask[] = [];
    for (let times = 0; times < MAX_JUDGEMENTS; times++) {
      const { policies, failure } = this.#options.current();
      if (failure !== undefined) return nobodys(notMended(failure));
      const facts = await this.#judge.gather(policies, from, method, params);
      if (this.#isOutdated(policies)) continue;
      const decision = this.#judge.decide(facts, [], params);
      if (decision.effect === 'deny') return decision.ruling;
      const { asks, reservations } = decision;
      const open = notIn(agreed, asks);
      const [ask] = open;
      if (ask) {
        const beyond = this.#judge.exceeded(reservations, facts);
        if (beyond) return beyond;
        const reviewed = (await review?.(open)) ?? { refused: NOBODY_TO_ASK };
        if (!('request' in reviewed)) {
          const why = 'refused' in reviewed ? reviewed.refused : NOBODY_TO_ASK;
          return { ...ask, sentence: sentences(ask.sentence, why) };
        }
        // Decide again: documents and counters may have changed while the person decided.
        agreed = [...agreed, ...open];
        continue;
      }
      const outcome = this.#judge.reserve(reservations, facts);
      return 'refused' in outcome ? outcome.refused : undefined;
    }
    return nobodys(UNSETTLED);
  }

  /** Decides a request of the client. On success, `judging.request` is the request to send. */
  async #judged(judging: Judging, passage: Passage, next: Peer): Promise<Judged> {
    const { request: first } = judging;
    const refused = (by: Ruling): Judged => ({ response: this.#refuse(first, passage, by) });
    const { method, params = {} } = first;
    const about = subjectsOf(method, params);
    let isAsking = false;
    let askedBy: readonly Policy[] | undefined;
    while (judging.times++ < MAX_JUDGEMENTS) {
      const { policies, failure } = this.#options.current();
      if (failure !== undefined) return refused(nobodys(notMended(failure)));
      if ('fault' in about) {
        put(passage, 'deny', undefined);
        return { response: malformed(first, about.fault) };
      }
      const [subject] = about.subjects;
      if (subject) {
        await this.#judge.prepare(policies, subject, first, passage, next, isAsking);
      }
      const facts = await this.#judge.gather(policies, 'client', method, params);
      // A document changed in the meantime and may need other facts.
      if (this.#isOutdated(policies)) continue;
      const decision = this.#judge.decide(facts, about.subjects, about.arguments);
      if (decision.effect === 'deny') {
        const { ruling } = decision;
        if (askedBy === undefined || askedBy === policies) return refused(ruling);
        return refused({ ...ruling, sentence: sentences(CHANGED, ruling.sentence) });
      }

      const { asks, reservations } = decision;
      const open = notIn(judging.agreed, asks);
      const [ask] = open;
      if (ask && !isAsking) {
        isAsking = true;
        if (subject) continue;
      }
      if (ask) {
        // If a limit would deny the call anyway, do not ask a person about it.
        const beyond = this.#judge.exceeded(reservations, facts);
        if (beyond) return refused(beyond);
        const review = await this.#approvals.review(
          judging.request,
          open,
          () => this.#judge.shown(),
          passage,
        );
        if ('result' in review) {
          put(passage, 'ask', ask);
          return { response: makeResult(first.id, review.result) };
        }
        if ('refused' in review) {
          return refused({ ...ask, sentence: sentences(ask.sentence, review.refused) });
        }
        // Decide again: documents and counters may have changed while the person decided.
        judging.request = review.request;
        judging.agreed = [...judging.agreed, ...open];
        askedBy = policies;
        continue;
      }
      if (judging.agreed.length === 0 && this.#approvals.isAnswer(judging.request)) {
        return refused(nobodys('This answers a question of the policy that is not open any more.'));
      }
      const outcome = this.#judge.reserve(reservations, facts);
      if ('refused' in outcome) return refused(outcome.refused);
      put(passage, asks.length > 0 ? 'approved' : 'allow', asks[0]);
      return { receipt: outcome.receipt, policies, wasAsked: asks.length > 0 };
    }
    return refused(nobodys(UNSETTLED));
  }

  /** The server's response, with hidden items and disallowed server requests removed or denied. */
  async #received(
    request: Request,
    response: Response,
    { wasAsked }: Allowed,
    passage: Passage,
  ): Promise<Response> {
    const span = response.error ? undefined : spanAt(response.bytes, ['result']);
    if (!span) return response;
    const shape = LISTS.get(request.method);
    const keys = keysOf(response.bytes, span);
    const odd = oddKey(keys, shape ? [...ASKING, shape.member] : ASKING);
    if (odd !== undefined) {
      const quoted = JSON.stringify(odd.slice(0, 100));
      const sentence = `The server's answer has ${quoted}, which some take for another key`;
      return this.#refuse(request, passage, nobodys(sentence));
    }
    // In MCP 2026-07-28, results carry the server's requests. Some clients answer them without
    // checking `resultType`.
    if (keys.includes('inputRequests')) {
      const ruling = await this.#rulingOnInput(response);
      if (ruling) return this.#refuse(request, passage, ruling);
    }
    if (shape) return this.#listed(request, response, shape, passage);
    if (wasAsked && keys.includes('requestState')) {
      const { resultType, requestState } = resultOf(response) as JsonObject;
      if (resultType !== 'complete' && typeof requestState === 'string') {
        this.#approvals.continues(request, requestState);
      }
    }
    return response;
  }

  /** Returns the ruling against a server request in a result, if there is one. */
  async #rulingOnInput(response: Response): Promise<Ruling | undefined> {
    const { inputRequests } = resultOf(response) as JsonObject;
    if (!isObject(inputRequests)) return nobodys(NO_INPUT_REQUESTS);
    for (const one of Object.values(inputRequests)) {
      const isOdd = !isObject(one) || oddKey(Object.keys(one), ['method', 'params']) !== undefined;
      if (isOdd || typeof one.method !== 'string') return nobodys(NO_INPUT_REQUESTS);
      const ruling = await this.#rulingOnServer(one.method, isObject(one.params) ? one.params : {});
      if (ruling) return ruling;
    }
    return undefined;
  }

  /** Filters a list result by the documents in force when the result arrives. */
  async #listed(
    request: Request,
    response: Response,
    shape: ListShape,
    passage: Passage,
  ): Promise<Response> {
    const items = itemsOf(response, shape);
    if (!items) {
      return makeError(request.id, {
        code: ErrorCode.internalError,
        message: `The server's answer to ${request.method} is no list`,
      });
    }
    if (shape.kind === 'tool') this.#judge.tools.learn(items);
    if (shape.kind === 'prompt') this.#judge.prompts.learn(items);
    const { policies, failure } = this.#options.current();
    if (failure !== undefined) {
      return this.#refuse(request, passage, nobodys(notMended(failure)));
    }
    const { caller } = await this.#judge.gather(policies, 'server', request.method, {});
    const party = { runtime: this.#options.runtime, caller };
    return withList(response, shape, items, (item) => {
      const name = item[shape.named];
      if (typeof name !== 'string' || oddKey(Object.keys(item), [shape.named])) return undefined;
      const subject = { kind: shape.kind, name };
      if (hiddenBy(policies, subject, party)) return undefined;
      return prefixesOf(policies, subject, party).join('');
    });
  }

  /** Stops a message right before it is sent if the documents changed after the decision. */
  #checkBeforeSend(policies: readonly Policy[], passage: Passage) {
    let isOutdated = false;
    const beforeSend = () => {
      passage.beforeSend?.();
      isOutdated = this.#isOutdated(policies);
      if (isOutdated) throw new AgentCoreError('usage', 'The policy has changed meanwhile');
    };
    return { beforeSend, isOutdated: () => isOutdated };
  }

  #isOutdated(policies: readonly Policy[]): boolean {
    return this.#options.current().policies !== policies;
  }

  #refuse(request: Request, passage: Passage, ruling: Ruling): Response {
    put(passage, 'deny', ruling);
    return refusal(request, ruling);
  }
}

/** Asks a person to agree. */
type AskPerson = (asks: readonly Ask[]) => Promise<Review>;

const CHANGED = 'The policy has changed since the person was asked.';
const NOBODY_TO_ASK = 'Nobody can be asked about it at this place.';

/** Maximum decisions for one message, because documents may change repeatedly while it waits. */
const MAX_JUDGEMENTS = 10;
const UNSETTLED = 'The policy changed again and again while the message waited.';

/** The members of a result for requests of the server. */
const ASKING = ['resultType', 'inputRequests', 'requestState'];
const NO_INPUT_REQUESTS = "The server's answer asks for something, and what it is cannot be told.";

/** A request and its decisions so far. */
interface Judging {
  /** The request approved by the person. */
  request: Request;
  /** The approvals given so far. */
  agreed: readonly Ask[];
  times: number;
}

interface Allowed {
  readonly receipt: Receipt;
  readonly policies: readonly Policy[];
  readonly wasAsked: boolean;
}

type Judged = { readonly response: Response } | Allowed;

function notIn(agreed: readonly Ask[], asks: readonly Ask[]): readonly Ask[] {
  return asks.filter((ask) => !agreed.some((one) => isSameAsk(one, ask)));
}

/** Stores the decision for the audit. */
function put({ trail }: Passage, effect: string, ruling: Ruling | undefined): void {
  if (trail) trail.decision = { effect, rule: ruling?.pointer, document: ruling?.file };
}

/** A ruling without a document. */
function nobodys(sentence: string): Ruling {
  return { file: '', pointer: '', sentence };
}

/** Adds a period between the sentences if the first one has none. */
function sentences(one: string, other: string): string {
  return `${one}${/[.!?\u3002]$/.test(one) ? '' : '.'} ${other}`;
}

function notApplied(thrown: unknown): string {
  return `The policy could not be applied: ${messageOf(thrown)}`;
}

function notMended(failure: string): string {
  return `Nothing is allowed until the policy is mended: ${failure}`;
}

function malformed(request: Request, fault: string): Response {
  const message = `Refused by policy: ${request.method} cannot be judged, because ${fault}`;
  return makeError(request.id, { code: ErrorCode.invalidParams, message });
}

/**
 * A failed call does not count against a limit, as Intercept documents it. A tool error is a result
 * and does count.
 */
function isRefused({ error }: Response): boolean {
  return error !== undefined && !(isObject(error.data) && error.data.outcome === 'unknown');
}

function hadNoEffect(thrown: unknown): boolean {
  const outcome = thrown instanceof AgentCoreError ? thrown.data?.outcome : undefined;
  return outcome === 'refused' || outcome === 'not sent';
}
