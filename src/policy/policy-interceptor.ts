import { AgentCoreError, messageOf } from '../error.ts';
import { ErrorCode } from '../mcp/errors.ts';
import { spanAt } from '../mcp/json-spans.ts';
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
import { AnnouncedTools } from './announced-tools.ts';
import { Approvals, type Approver, type Review, type Shown } from './approvals/approvals.ts';
import type { Counters, Receipt } from './counters/counters.ts';
import { decide, hiddenBy, prefixesOf } from './decisions/decide.ts';
import type { Ask, Decision, Ruling } from './decisions/facts.ts';
import { resemblesKnownMethod } from './decisions/known-methods.ts';
import { SchemaCheck } from './decisions/schema-check.ts';
import { type Subject, subjectsOf } from './decisions/subjects.ts';
import type { Policy } from './documents/policy.ts';
import type { PolicyState } from './documents/policy-set.ts';
import { FactFinder, type FactFinderOptions, type Gathered } from './fact-finder.ts';
import { itemsOf, LISTS, type ListShape, withList } from './lists.ts';
import { needsOf } from './needs.ts';
import { makeResult, refusal } from './refusals.ts';

export interface PolicyOptions extends FactFinderOptions {
  /** The documents that hold now. */
  readonly current: () => PolicyState;
  readonly counters: Counters;
  /** ARN of the runtime or gateway behind. */
  readonly runtime: string;
  /** Names the agent's session for counters. */
  readonly session: string;
  /** Asked where the client shows no forms. */
  readonly approver?: Approver | undefined;
  readonly now: () => number;
}

/**
 * Keeps what an agent does within the policies: on the message that is then sent, before anything
 * leaves the machine. What is not allowed is neither listed nor reachable.
 */
export class PolicyInterceptor implements Interceptor {
  readonly #options: PolicyOptions;
  readonly #approvals: Approvals;
  readonly #tools = new AnnouncedTools();
  readonly #schemas = new SchemaCheck();
  readonly #facts: FactFinder;

  constructor(options: PolicyOptions) {
    this.#options = options;
    this.#facts = new FactFinder(options);
    this.#approvals = new Approvals(options.now, options.approver);
  }

  async request(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (passage.from === 'server') return this.#fromServer(request, passage, next);
    if (request.method === 'initialize') this.#approvals.learn(request.params);
    let judged: Judged;
    try {
      judged = await this.#judge(request, passage, next);
    } catch (thrown) {
      if (thrown instanceof Cancelled || passage.signal.aborted) throw thrown;
      return this.#refuse(request, passage, nobodys(notApplied(thrown)));
    }
    if ('response' in judged) return judged.response;
    const { receipt, policies, caller, wasAsked } = judged;
    let response: Response;
    try {
      response = await next.request(judged.request, passage);
    } catch (thrown) {
      if (hadNoEffect(thrown)) this.#release(receipt);
      throw thrown;
    }
    if (isRefused(response)) this.#release(receipt);
    return this.#received(judged.request, response, { policies, caller, wasAsked }, passage);
  }

  async notify(notification: Notification, passage: Passage, next: Peer): Promise<void> {
    const { method, params } = notification;
    const { policies, failure } = this.#options.current();
    if (passage.from === 'server') {
      if (method === 'notifications/tools/list_changed') this.#tools.forget();
      if (!needsOf(policies).methods) return next.notify(notification, passage);
    } else if (!method.startsWith('notifications/') || resemblesKnownMethod(method)) {
      throw new AgentCoreError('usage', 'the policy lets no request pass as a notification');
    } else if (failure !== undefined) {
      throw new AgentCoreError('usage', notMended(failure));
    }
    const facts = await this.#facts.gather(policies, passage.from, method, params ?? {});
    const ruling = await this.#rulingOn(facts);
    if (ruling) throw new AgentCoreError('usage', ruling.sentence);
    return next.notify(notification, passage);
  }

  /** Requests of the server's: by their method alone. */
  async #fromServer(request: Request, passage: Passage, next: Peer): Promise<Response> {
    if (this.#approvals.isOwn(request)) return next.request(request, passage);
    // The person is before the client, which is where the request goes.
    const towards = { ...passage, back: next };
    const ruling = await this.#rulingOnServer(request.method, request.params ?? {}, (asks) =>
      this.#approvals.reviewServers(request, asks, () => this.#shown(), towards),
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
      const { policies, failure } = this.#options.current();
      if (failure !== undefined) return nobodys(notMended(failure));
      const facts = await this.#facts.gather(policies, 'server', method, params);
      return await this.#rulingOn(facts, review);
    } catch (thrown) {
      if (thrown instanceof Cancelled) throw thrown;
      return nobodys(notApplied(thrown));
    }
  }

  /** What stands against a message of which its method says all, and counts it where nothing does. */
  async #rulingOn(facts: Gathered, review?: AskPerson): Promise<Ruling | undefined> {
    const { counters } = this.#options;
    const decision = this.#decide(facts, [], facts.params);
    if (decision.effect === 'deny') return decision.ruling;
    const { asks, reservations } = decision;
    const [ask] = asks;
    if (ask) {
      const beyond = counters.exceeded(reservations, this.#party(facts));
      if (beyond) return beyond;
      const reviewed = (await review?.(asks)) ?? { refused: NOBODY_TO_ASK };
      if (!('request' in reviewed)) {
        const why = 'refused' in reviewed ? reviewed.refused : NOBODY_TO_ASK;
        return { ...ask, sentence: `${ask.sentence} ${why}` };
      }
      if (this.#isOutdated(facts)) return nobodys(CHANGED);
    }
    const outcome = counters.reserve(reservations, this.#party(facts));
    return 'refused' in outcome ? outcome.refused : undefined;
  }

  /** Whether and as what a request of the client's goes on. */
  async #judge(request: Request, passage: Passage, next: Peer): Promise<Judged> {
    const { method, params = {} } = request;
    const refused = (by: Ruling): Judged => ({ response: this.#refuse(request, passage, by) });
    const { policies, failure } = this.#options.current();
    if (failure !== undefined) return refused(nobodys(notMended(failure)));
    const about = subjectsOf(method, params);
    if ('fault' in about) {
      put(passage, 'deny', undefined);
      return { response: malformed(request, about.fault) };
    }
    const [subject] = about.subjects;
    if (subject?.kind === 'tool' && isToBeKnown(policies, subject)) {
      await this.#prepare(policies, subject, request, passage, next);
    }
    const facts = await this.#facts.gather(policies, 'client', method, params);
    const decision = this.#decide(facts, about.subjects, about.arguments);
    if (decision.effect === 'deny') return refused(decision.ruling);

    const { asks, reservations } = decision;
    const { caller } = facts;
    const party = this.#party(facts);
    const [ask] = asks;
    let approved = request;
    if (ask) {
      // Nobody is asked for what would be refused afterwards.
      const beyond = this.#options.counters.exceeded(reservations, party);
      if (beyond) return refused(beyond);
      const review = await this.#approvals.review(request, asks, () => this.#shown(), passage);
      if ('result' in review) {
        put(passage, 'ask', ask);
        return { response: makeResult(request.id, review.result) };
      }
      if ('refused' in review) {
        return refused({ ...ask, sentence: `${ask.sentence} ${review.refused}` });
      }
      if (this.#isOutdated(facts)) return refused(nobodys(CHANGED));
      approved = review.request;
    } else if (this.#approvals.isAnswer(request)) {
      return refused(nobodys('This answers a question of the policy that is not open any more.'));
    }
    const outcome = this.#options.counters.reserve(reservations, party);
    if ('refused' in outcome) return refused(outcome.refused);
    put(passage, ask ? 'approved' : 'allow', ask);
    const { receipt } = outcome;
    return { request: approved, receipt, policies, caller, wasAsked: ask !== undefined };
  }

  #decide(
    { from, method, params, caller, spent, policies }: Gathered,
    subjects: readonly Subject[],
    args: JsonObject,
  ): Decision {
    const { runtime, counters } = this.#options;
    const asks = [];
    const reservations = [];
    for (const subject of subjects.length > 0 ? subjects : [undefined]) {
      const tool = subject?.kind === 'tool' ? this.#tools.known(subject.name) : undefined;
      const decision = decide(policies, {
        from,
        method,
        subject,
        params,
        arguments: args,
        caller,
        runtime,
        tool,
        count: (file, counter) => counters.value(file, counter, this.#party({ caller })),
        spent: (window) => spent.get(window.words),
        schemaFault: (extent) => this.#schemas.fault(tool?.inputSchema, args, extent),
      });
      if (decision.effect === 'deny') return decision;
      asks.push(...decision.asks);
      reservations.push(...decision.reservations);
    }
    return { effect: 'allow', asks, reservations };
  }

  /** What a decision about a tool needs to know of it. */
  async #prepare(
    policies: readonly Policy[],
    { name }: Subject,
    request: Request,
    passage: Passage,
    next: Peer,
  ): Promise<void> {
    if (needsOf(policies).schemas) await this.#schemas.prepare();
    // Where the server does not say it, the tool is one that it does not announce.
    await this.#tools.find(name, request, next, passage).catch((thrown) => {
      if (thrown instanceof Cancelled) throw thrown;
    });
  }

  /** What the server answered, as far as the agent may see it. */
  async #received(
    request: Request,
    response: Response,
    context: Context,
    passage: Passage,
  ): Promise<Response> {
    if (response.error) return response;
    const shape = LISTS.get(request.method);
    if (shape) return this.#listed(request, response, shape, context);
    const span = spanAt(response.bytes, ['result', 'resultType']);
    if (!span) return response;
    const result = resultOf(response);
    if (!isObject(result) || result.resultType === 'complete') return response;
    // In MCP 2026-07-28 the server's own requests come in here.
    const wanted = isObject(result.inputRequests) ? Object.values(result.inputRequests) : [];
    for (const one of wanted) {
      const method = isObject(one) ? String(one.method) : '';
      const params = isObject(one) && isObject(one.params) ? one.params : {};
      const ruling = await this.#rulingOnServer(method, params);
      if (ruling) return this.#refuse(request, passage, ruling);
    }
    if (context.wasAsked && typeof result.requestState === 'string') {
      this.#approvals.continues(request, result.requestState);
    }
    return response;
  }

  #listed(request: Request, response: Response, shape: ListShape, context: Context): Response {
    const items = itemsOf(response, shape);
    if (!items) {
      return makeError(request.id, {
        code: ErrorCode.internalError,
        message: `The server's answer to ${request.method} is no list`,
      });
    }
    if (shape.kind === 'tool') this.#tools.learn(items);
    const { policies, caller } = context;
    const party = { runtime: this.#options.runtime, caller };
    return withList(response, shape, items, (item) => {
      const name = item[shape.named];
      if (typeof name !== 'string') return undefined;
      const subject = { kind: shape.kind, name };
      if (hiddenBy(policies, subject, party)) return undefined;
      return prefixesOf(policies, subject, party).join('');
    });
  }

  async #shown(): Promise<Shown> {
    return { runtime: this.#options.runtime, ...(await this.#facts.gatherForPerson()) };
  }

  /** A person takes their time, in which other rules may come to hold than they were asked by. */
  #isOutdated({ policies }: Gathered): boolean {
    return this.#options.current().policies !== policies;
  }

  #refuse(request: Request, passage: Passage, ruling: Ruling): Response {
    put(passage, 'deny', ruling);
    return refusal(request, ruling);
  }

  /** What could not be taken back stays counted, which is the strict side. */
  #release(receipt: Receipt): void {
    try {
      this.#options.counters.release(receipt);
    } catch {
      // The next call that counts says what is wrong with the counters.
    }
  }

  #party({ caller }: { readonly caller: string | undefined }) {
    const { session, runtime } = this.#options;
    return { session, caller, runtime };
  }
}

/** Finds out whether a person agrees. */
type AskPerson = (asks: readonly Ask[]) => Promise<Review>;

const CHANGED = 'The policy has changed since the person was asked.';
const NOBODY_TO_ASK = 'Nobody can be asked about it at this place.';

/** Whether the server has to be asked what it says of a tool before that can be judged. */
function isToBeKnown(policies: readonly Policy[], { name }: Subject): boolean {
  const { schemas, annotations } = needsOf(policies);
  return schemas || annotations || !/^[\x21-\x7e]+$/.test(name);
}

interface Context {
  readonly policies: readonly Policy[];
  readonly caller: string | undefined;
  readonly wasAsked: boolean;
}

type Judged =
  | { readonly response: Response }
  | (Context & { readonly request: Request; readonly receipt: Receipt });

/** For the record. */
function put({ trail }: Passage, effect: string, ruling: Ruling | undefined): void {
  if (trail) trail.decision = { effect, rule: ruling?.pointer, document: ruling?.file };
}

/** A ruling that no document makes. */
function nobodys(sentence: string): Ruling {
  return { file: '', pointer: '', sentence };
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

/** As Intercept documents it: a call that failed uses nothing up. A tool's own error is a result. */
function isRefused({ error }: Response): boolean {
  return error !== undefined && !(isObject(error.data) && error.data.outcome === 'unknown');
}

function hadNoEffect(thrown: unknown): boolean {
  const outcome = thrown instanceof AgentCoreError ? thrown.data?.outcome : undefined;
  return outcome === 'refused' || outcome === 'not sent';
}
