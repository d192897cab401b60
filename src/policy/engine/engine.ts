import type { MaybePromise } from '../../base/async.ts';
import { getErrorMessage } from '../../base/errors.ts';
import type { JsonObject, JsonRpcResponse } from '../../mcp/message.ts';
import { type ListShape, type SubjectKind, withList } from '../../mcp/protocol.ts';
import type { Conversation } from '../../relay/conversation.ts';
import { CancelledError } from '../../relay/peer.ts';
import type { ToolCatalog } from '../../relay/tool-catalog.ts';
import type { PolicyState } from '../documents/document-set.ts';
import type { Policy } from '../documents/model.ts';
import { createCalendarWindow, type Window } from '../documents/windows.ts';
import type { CounterScope, Counters, ReserveOutcome } from './counters.ts';
import {
  type ApprovalDetails,
  type ApprovalRequirement,
  type Denial,
  deny,
  type Evaluation,
  type EvaluationInput,
  joinSentences,
  type PolicyDecision,
  type PolicyInput,
  type Receipt,
  type Reservation,
  type Spent,
  type Subject,
  UNSETTLED,
} from './decision.ts';
import { evaluate, evaluateWithCounts, findHidingRule, getNamePrefixes } from './evaluate.ts';
import { SchemaValidator } from './schema-validator.ts';
import { findSimilarKey, getSubjects, isPlainName } from './subjects.ts';

export interface PolicyEngineOptions {
  /** Returns the policy documents in force. */
  readonly current: () => PolicyState;
  readonly counters: Counters;
  /** ARN or URL of the runtime or gateway. */
  readonly runtime: string;
  /** Tools and prompts listed by the server so far. */
  readonly catalogs: Readonly<Record<'tool' | 'prompt', ToolCatalog>>;
  /** Its id is the scope of counters for a session. */
  readonly conversation: Pick<Conversation, 'id'>;
  /** Returns the ARN of the caller. It caches success but not failure: the user may sign in. */
  readonly caller: () => Promise<string>;
  /** Returns the usage of runtime sessions. Rejects if the usage cannot be determined. */
  readonly spent?: ((window: Window) => Promise<Spent>) | undefined;
}

/** Maximum evaluations for one decision. Documents may change repeatedly meanwhile. */
const MAX_EVALUATIONS = 10;

const TODAY = createCalendarWindow('day');

const NOTHING_SPENT: ReadonlyMap<string, Spent> = new Map();

const CHANGED = 'The policy has changed since the person was asked.';

/** Facts about the caller, looked up before an evaluation. */
interface CallerFacts {
  readonly caller: string | undefined;
  /** Usage of sessions by `label` of the window. */
  readonly spent: ReadonlyMap<string, Spent>;
}

/**
 * Decides messages by the policy documents, and counts allowed ones. Looks up the facts for the
 * rules: the caller, the tool's annotations and schema, and the usage of sessions.
 */
export class PolicyEngine {
  readonly #options: PolicyEngineOptions;
  readonly #schemas = new SchemaValidator();

  constructor(options: PolicyEngineOptions) {
    this.#options = options;
  }

  /** Decides a message, and counts it if it is allowed. */
  async evaluate(input: PolicyInput): Promise<PolicyDecision> {
    const { from, method, params, request, approved, approvedFor } = input;
    const found = request ? getSubjects(method, params) : { subjects: [], arguments: params };
    let needsDefinition = false;
    for (let times = 0; times < MAX_EVALUATIONS; times++) {
      const { policies, failure } = this.#options.current();
      if (failure !== undefined) return deny(describePolicyError(failure));
      if ('fault' in found) return { effect: 'invalid', reason: found.fault };
      const [subject] = found.subjects;
      if (request && subject) await this.#prepare(policies, subject, request, needsDefinition);
      const facts = await this.#gather(policies, from);
      // If a document has changed meanwhile, it may need other facts.
      if (this.isOutdated(policies)) continue;

      // Without a wait from here to the count, no concurrent call can use up the limit.
      const scope = this.#toScope(facts);
      const evaluated = evaluateWithCounts(
        (file, counter) => this.#options.counters.value(file, counter, scope),
        (count) => this.#evaluateSubjects(policies, input, found, { ...facts, count }),
      );
      const evaluation = evaluated instanceof Promise ? await evaluated : evaluated;
      if (evaluation.effect === 'deny') {
        const { match } = evaluation;
        if (approvedFor === undefined || approvedFor === policies) return evaluation;
        return {
          effect: 'deny',
          match: { ...match, message: joinSentences(CHANGED, match.message) },
        };
      }
      const { approvals, reservations } = evaluation;
      const [first, ...more] = approvals.filter((one) => !approved.some(coversApproval(one)));
      if (!first) return this.#reserve(reservations, scope, { approvals, policies });
      if (subject && !needsDefinition) {
        // The approval applies to the tool's current definition.
        needsDefinition = true;
        continue;
      }
      // If a limit denies the call anyway, do not ask a person.
      const beyond = await this.#options.counters.exceeded(reservations, scope);
      if (beyond) return { effect: 'deny', match: beyond };
      return { effect: 'ask', approvals: [first, ...more], policies };
    }
    return deny(UNSETTLED);
  }

  /** Removes a count. If this fails, the message stays counted: the strict choice. */
  async release(receipt: Receipt): Promise<void> {
    try {
      await this.#options.counters.release(receipt);
    } catch {
      // The next count reports the problem.
    }
  }

  /**
   * Removes hidden items from a list result, and adds prefixes to descriptions. The documents in
   * force at the arrival of the list apply.
   */
  async filterList(
    response: JsonRpcResponse,
    shape: ListShape,
    items: readonly unknown[],
  ): Promise<{ readonly response: JsonRpcResponse } | Denial> {
    const { policies, failure } = this.#options.current();
    if (failure !== undefined) return deny(describePolicyError(failure));
    const { caller } = await this.#gather(policies, 'server');
    const scope = { runtime: this.#options.runtime, caller };
    const filtered = withList(response, shape, items, (item) => {
      const name = item[shape.named];
      if (typeof name !== 'string' || findSimilarKey(Object.keys(item), [shape.named]))
        return undefined;
      const subject = { kind: shape.kind, name };
      if (findHidingRule(policies, subject, scope)) return undefined;
      return getNamePrefixes(policies, subject, scope).join('');
    });
    return { response: filtered };
  }

  /** True if these are not the documents in force any more. */
  isOutdated(policies: readonly Policy[]): boolean {
    return this.#options.current().policies !== policies;
  }

  /** True if a rule applies to methods, so it may apply to notifications of the server. */
  get hasMethodRules(): boolean {
    return getRequiredFacts(this.#options.current().policies).methods;
  }

  /** Returns the details for a question to a person. Failed lookups are `undefined`. */
  async describe(): Promise<ApprovalDetails> {
    const [caller, spent] = await Promise.all([this.#findCaller(), this.#findSpent([TODAY])]);
    return { runtime: this.#options.runtime, caller, spent: spent.get(TODAY.label) };
  }

  /**
   * Loads the tool's list entry and the schema validator, if the decision needs them.
   *
   * @param needsDefinition True if a person is asked.
   */
  async #prepare(
    policies: readonly Policy[],
    { kind, name }: Subject,
    { message, context, server }: NonNullable<PolicyInput['request']>,
    needsDefinition: boolean,
  ): Promise<void> {
    const catalog = this.#getCatalog(kind);
    if (!catalog) return;
    const { schemas, annotations } = getRequiredFacts(policies);
    if (schemas) await this.#schemas.prepare();
    if (!schemas && !annotations && !needsDefinition && isPlainName(name)) return;
    // If the listing fails, the tool counts as not listed.
    await catalog.find(name, message, server, context).catch((thrown) => {
      if (thrown instanceof CancelledError) throw thrown;
    });
  }

  /** Looks up the facts for the documents, and no others. */
  async #gather(policies: readonly Policy[], from: PolicyInput['from']): Promise<CallerFacts> {
    const needs = getRequiredFacts(policies);
    const windows = from === 'client' ? needs.windows : [];
    const caller = needs.caller ? this.#findCaller() : undefined;
    const spent = windows.length > 0 ? await this.#findSpent(windows) : NOTHING_SPENT;
    return { caller: await caller, spent };
  }

  #findCaller(): Promise<string | undefined> {
    return this.#options.caller().catch(() => undefined);
  }

  /** Omits windows if their usage cannot be determined. Their budgets then deny the call. */
  async #findSpent(windows: readonly Window[]): Promise<ReadonlyMap<string, Spent>> {
    const found = new Map<string, Spent>();
    for (const window of windows) {
      const amount = await this.#options.spent?.(window).catch(() => undefined);
      if (amount) found.set(window.label, amount);
    }
    return found;
  }

  /** Evaluates the rules. If there are several subjects, all must be allowed. */
  #evaluateSubjects(
    policies: readonly Policy[],
    { from, method, params }: PolicyInput,
    found: { readonly subjects: readonly Subject[]; readonly arguments: JsonObject },
    { caller, spent, count }: CallerFacts & Pick<EvaluationInput, 'count'>,
  ): Evaluation {
    const { runtime } = this.#options;
    const approvals: ApprovalRequirement[] = [];
    const reservations: Reservation[] = [];
    for (const subject of found.subjects.length > 0 ? found.subjects : [undefined]) {
      const tool = subject && this.#getCatalog(subject.kind)?.get(subject.name);
      const evaluation = evaluate(policies, {
        from,
        method,
        subject,
        params,
        arguments: found.arguments,
        caller,
        runtime,
        tool,
        count,
        spent: (window) => spent.get(window.label),
        schemaFault: (extent) => this.#schemas.fault(tool?.inputSchema, found.arguments, extent),
      });
      if (evaluation.effect === 'deny') return evaluation;
      approvals.push(...evaluation.approvals);
      reservations.push(...evaluation.reservations);
    }
    return { effect: 'allow', approvals, reservations };
  }

  /** Counts a message, unless it would exceed a limit. */
  #reserve(
    reservations: readonly Reservation[],
    scope: CounterScope,
    allowed: { readonly approvals: readonly ApprovalRequirement[]; policies: readonly Policy[] },
  ): MaybePromise<PolicyDecision> {
    // Most policies have no limits.
    if (reservations.length === 0) return { effect: 'allow', ...allowed, receipt: { added: [] } };
    const toDecision = (outcome: ReserveOutcome): PolicyDecision =>
      'refused' in outcome
        ? { effect: 'deny', match: outcome.refused }
        : { effect: 'allow', ...allowed, receipt: outcome.receipt };
    const outcome = this.#options.counters.reserve(reservations, scope);
    return outcome instanceof Promise ? outcome.then(toDecision) : toDecision(outcome);
  }

  #getCatalog(kind: SubjectKind): ToolCatalog | undefined {
    return kind === 'tool' || kind === 'prompt' ? this.#options.catalogs[kind] : undefined;
  }

  #toScope({ caller }: CallerFacts): CounterScope {
    const { conversation, runtime } = this.#options;
    return { session: conversation.id, caller, runtime };
  }
}

/** Denies a message, because its decision failed. */
export function denyAfterError(thrown: unknown): Denial {
  return deny(`The policy could not be applied: ${getErrorMessage(thrown)}`);
}

function describePolicyError(failure: string): string {
  return `Nothing is allowed until the policy is mended: ${failure}`;
}

/** Returns a predicate for approvals that also cover this one. */
export function coversApproval(one: ApprovalRequirement): (other: ApprovalRequirement) => boolean {
  return (other) =>
    one.file === other.file &&
    one.pointer === other.pointer &&
    one.message === other.message &&
    one.definition === other.definition;
}

/** The facts that the rules of some documents need. */
interface Needs {
  readonly caller: boolean;
  readonly schemas: boolean;
  /** True if a document has `approve`, which may depend on annotations. */
  readonly annotations: boolean;
  /** Windows of all budgets. */
  readonly windows: readonly Window[];
  /** True if a rule applies to methods. */
  readonly methods: boolean;
}

const known = new WeakMap<readonly Policy[], Needs>();

/** Returns the facts that the documents need. Cached for each list of documents. */
function getRequiredFacts(policies: readonly Policy[]): Needs {
  const before = known.get(policies);
  if (before) return before;
  const bodies = policies.flatMap(({ body, sections }) => [body, ...sections]);
  const entries = bodies.flatMap((body) => body.entries);
  const windows = bodies.flatMap(({ budgets }) => budgets.map(({ window }) => window));
  const needs: Needs = {
    caller: policies.some(({ needsCaller }) => needsCaller),
    schemas: entries.some(({ rules }) => rules.some(({ kind }) => kind === 'schema')),
    annotations: bodies.some(({ approve }) => approve.length > 0),
    windows: [...new Map(windows.map((window) => [window.label, window])).values()],
    methods: entries.some(({ kind }) => kind === 'method'),
  };
  known.set(policies, needs);
  return needs;
}
