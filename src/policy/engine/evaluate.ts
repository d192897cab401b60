import type { MaybePromise } from '../../base/async.ts';
import { LruCache } from '../../base/cache.ts';
import { isObject } from '../../mcp/message.ts';
import { parseHints } from '../../relay/tool-catalog.ts';
import type { Counter, Entry, LimitRule, Policy, PolicyBody, Rule } from '../documents/model.ts';
import { toSkeleton } from '../documents/name-pattern.ts';
import { evaluateCondition, type GuardContext } from './conditions.ts';
import type {
  ApprovalRequirement,
  Denial,
  Evaluation,
  EvaluationInput,
  Reservation,
  RuleMatch,
  Subject,
} from './decision.ts';
import { getSubjectNames, isKnownMethod, isPlainName, resemblesKnownMethod } from './subjects.ts';

/**
 * Evaluates the rules of all documents for a message. A denial by one document is final. The
 * approvals and limits of all documents apply. Pure: the result depends on the arguments only.
 */
export function evaluate(policies: readonly Policy[], facts: EvaluationInput): Evaluation {
  const approvals: ApprovalRequirement[] = [];
  const reservations: Reservation[] = [];
  for (const policy of policies) {
    const evaluation = evaluatePolicy(policy, facts);
    if (evaluation.effect === 'deny') return evaluation;
    approvals.push(...evaluation.approvals);
    reservations.push(...evaluation.reservations);
  }
  return { effect: 'allow', approvals, reservations };
}

/**
 * Runs an evaluation with the values of counters. If they arrive later, runs it again with them.
 */
export function evaluateWithCounts<T>(
  read: (file: string, counter: Counter) => MaybePromise<number>,
  run: (count: EvaluationInput['count']) => T,
  known: ReadonlyMap<string, number> = new Map(),
): MaybePromise<T> {
  const pending = new Map<string, Promise<number>>();
  const result = run((file, counter) => {
    const key = `${file} ${counter.key}`;
    const value = known.get(key) ?? pending.get(key) ?? read(file, counter);
    if (typeof value === 'number') return value;
    pending.set(key, value);
    return 0;
  });
  if (pending.size === 0) return result;
  return Promise.all([...pending].map(async ([key, value]) => [key, await value] as const)).then(
    (values) => evaluateWithCounts(read, run, new Map([...known, ...values])),
  );
}

/** Returns the rule that hides a name from lists; `undefined` if the name is visible. */
export function findHidingRule(
  policies: readonly Policy[],
  subject: Subject,
  scope: RuleScope,
): RuleMatch | undefined {
  for (const policy of policies) {
    if (policy.needsCaller && scope.caller === undefined) return createUnknownCallerMatch(policy);
    const body = resolveRules(policy, scope);
    const { file } = policy;
    const match =
      checkVisibility(file, body, subject) ??
      findEntries(body, subject)
        .flatMap(({ rules }) => rules)
        .filter((rule) => rule.kind === 'deny' && rule.when === undefined)
        .map((rule) => toRuleMatch(file, rule, subject))[0];
    if (match) return match;
  }
  return undefined;
}

/** Returns the prefixes for the description of a tool, in document order. */
export function getNamePrefixes(
  policies: readonly Policy[],
  subject: Subject,
  scope: RuleScope,
): readonly string[] {
  const prefixes = policies.flatMap((policy) => {
    const { entries, billable } = resolveRules(policy, scope);
    const isBillable = subject.kind === 'tool' && isMarked(billable, subject.name);
    return [
      ...(isBillable ? ['Billable: '] : []),
      ...entries
        .filter(({ kind, name }) => kind === subject.kind && name.matches(subject.name))
        .flatMap(({ describe }) => describe ?? []),
    ];
  });
  return [...new Set(prefixes)];
}

function evaluatePolicy(policy: Policy, facts: EvaluationInput): Evaluation {
  const { file } = policy;
  if (policy.needsCaller && facts.caller === undefined)
    return denyBy(createUnknownCallerMatch(policy));
  const body = resolveRules(policy, facts);
  const method: Subject = { kind: 'method', name: facts.method };
  const { subject } = facts;
  const closed =
    checkUnknownMethod(file, body, facts.method) ??
    (subject && checkConfusableName(file, body, subject, facts));
  if (closed) return denyBy(closed);
  const concealed = subject && getSubjectRules(file, body, subject).concealed;
  if (concealed) return denyBy(concealed);
  const overspent = checkBudgets(file, body, facts);
  if (overspent) return denyBy(overspent);

  const context: GuardContext = {
    arguments: facts.arguments,
    params: facts.params,
    count: (counter) => facts.count(file, counter),
  };
  const approvals: ApprovalRequirement[] =
    subject?.kind === 'tool' ? getApprovalsByMark(policy, body, subject, facts) : [];
  const reservations: Reservation[] = [];
  for (const about of subject ? [subject, method] : [method]) {
    for (const rule of getSubjectRules(file, body, about).rules) {
      if (rule.kind === 'limit') {
        const reservation = createReservation(rule, file, facts);
        if ('refused' in reservation) return denyBy(reservation.refused);
        if (reservation.counter) reservations.push(reservation);
        continue;
      }
      if (!isRuleTriggered(rule, context, facts)) continue;
      if (rule.kind !== 'approval') return denyBy(toRuleMatch(file, rule, about, facts));
      const { dedupe, timeout } = policy.approvals;
      const match = toRuleMatch(file, rule, about);
      const definition = facts.tool?.definition;
      approvals.push({
        ...match,
        timeout: rule.timeout ?? timeout,
        dedupe,
        per: rule.per,
        definition,
      });
    }
  }
  return { effect: 'allow', approvals, reservations };
}

/** True if a rule applies to the call: it denies the call or requires an approval. */
function isRuleTriggered(
  rule: Exclude<Rule, { readonly kind: 'limit' }>,
  context: GuardContext,
  facts: EvaluationInput,
): boolean {
  switch (rule.kind) {
    case 'require':
      return !evaluateCondition(rule.holds, context, 'requires');
    case 'schema':
      return facts.schemaFault(rule.extent) !== undefined;
    default:
      return !rule.when || evaluateCondition(rule.when, context, 'triggers');
  }
}

/** The part of a document about one name. It does not depend on the message, so it is cached. */
interface SubjectRules {
  readonly concealed: RuleMatch | undefined;
  readonly rules: readonly Rule[];
}

/** Maximum weight of cached rules in bytes. Most calls use the same few tools. */
const MAX_CACHE_WEIGHT = 256 * 1024;

const MAX_CACHED_NAME_LENGTH = 2048;

const known = new WeakMap<PolicyBody, LruCache<SubjectRules>>();

function getSubjectRules(file: string, body: PolicyBody, subject: Subject): SubjectRules {
  let ofBody = known.get(body);
  if (!ofBody) {
    ofBody = new LruCache(
      MAX_CACHE_WEIGHT,
      (key, { rules }) => 2 * key.length + 8 * rules.length + 200,
    );
    known.set(body, ofBody);
  }
  const key = `${subject.kind} ${subject.name}`;
  const before = ofBody.get(key);
  if (before) return before;
  const rules = {
    concealed: checkVisibility(file, body, subject),
    rules: findEntries(body, subject).flatMap(({ rules }) => rules),
  };
  if (key.length <= MAX_CACHED_NAME_LENGTH) ofBody.set(key, rules);
  return rules;
}

function findEntries({ entries }: PolicyBody, subject: Subject): Entry[] {
  const names = getSubjectNames(subject);
  return entries.filter(
    (entry) => entry.kind === subject.kind && names.some((name) => entry.name.resembles(name)),
  );
}

/** Returns the rule that hides an item from the agent; `undefined` if it is visible. */
function checkVisibility(file: string, body: PolicyBody, subject: Subject): RuleMatch | undefined {
  const { kind, name } = subject;
  const names = getSubjectNames(subject);
  const hidden = body.hidden.find(
    (mark) => mark.kind === kind && names.some((one) => mark.name.resembles(one)),
  );
  if (hidden)
    return createRuleMatch(file, hidden.pointer, `${describeSubject(subject)} is hidden by policy`);
  if (kind === 'tool' && body.catalog && !body.catalog.names.some((one) => one.matches(name))) {
    return createRuleMatch(
      file,
      body.catalog.pointer,
      `${describeSubject(subject)} is not in the catalog of this caller`,
    );
  }
  if (body.default?.effect !== 'deny' || kind === 'method') return undefined;
  const ofKind = body.entries.filter((entry) => entry.kind === kind);
  // `default: deny` applies to prompts or resources only if the document has entries for them.
  if (kind !== 'tool' && ofKind.length === 0) return undefined;
  // A URI with several interpretations must be listed in each.
  const isListed = names.every((one) =>
    ofKind.some((entry) => entry.lists && entry.name.matches(one)),
  );
  if (isListed) return undefined;
  return createRuleMatch(
    file,
    body.default.pointer,
    `${describeSubject(subject)} is not allowed: the policy does not list it`,
  );
}

function checkUnknownMethod(file: string, body: PolicyBody, method: string): RuleMatch | undefined {
  const quoted = JSON.stringify(method.slice(0, 100));
  if (resemblesKnownMethod(method)) {
    return createRuleMatch(file, '', `The method ${quoted} looks like one of MCP's, but is none`);
  }
  if (body.default?.effect !== 'deny' || isKnownMethod(method)) return undefined;
  const isListed = body.entries.some(
    ({ kind, lists, name }) => kind === 'method' && lists && name.matches(method),
  );
  if (isListed) return undefined;
  return createRuleMatch(
    file,
    body.default.pointer,
    `The method ${quoted} is not MCP's, and the policy does not list it`,
  );
}

/**
 * Denies a tool or prompt name with confusable characters, unless the server lists it or the
 * document has exactly this name. Otherwise the server may resolve it to another name. Resources
 * are exempt, because servers need not list them.
 */
function checkConfusableName(
  file: string,
  body: PolicyBody,
  { kind, name }: Subject,
  { tool }: EvaluationInput,
): RuleMatch | undefined {
  if ((kind !== 'tool' && kind !== 'prompt') || tool || isPlainName(name)) return undefined;
  if (body.entries.some((entry) => entry.kind === kind && entry.name.text === name))
    return undefined;
  return createRuleMatch(
    file,
    '',
    `No ${kind} is announced as ${JSON.stringify(name.slice(0, 100))}, and the name can be taken for another`,
  );
}

function checkBudgets(
  file: string,
  { budgets }: PolicyBody,
  facts: EvaluationInput,
): RuleMatch | undefined {
  if (facts.from === 'server' || facts.method === 'ping' || /^notifications\//.test(facts.method)) {
    return undefined;
  }
  for (const { unit, most, window, pointer, message } of budgets) {
    const spent = facts.spent(window);
    const span = window.kind === 'fixed' ? `this ${window.label}` : `the last ${window.label}`;
    if (!spent)
      return createRuleMatch(
        file,
        pointer,
        'What sessions have cost cannot be told, and there is a budget',
      );
    // If a budget of sessions is used up, running sessions may continue, but none may start.
    const isBeginning = facts.method === 'initialize' || facts.method === 'server/discover';
    const isOver = unit === 'usd' ? spent.usd >= most : spent.sessions + Number(isBeginning) > most;
    if (!isOver) continue;
    const standard =
      unit === 'usd'
        ? `The budget of $${most} for ${span} is used up: sessions may have cost $${spent.usd.toFixed(2)}`
        : `The budget of ${most} sessions for ${span} is used up`;
    return createRuleMatch(file, pointer, message ?? standard);
  }
  return undefined;
}

function getApprovalsByMark(
  policy: Policy,
  body: PolicyBody,
  { name }: Subject,
  { tool }: EvaluationInput,
): ApprovalRequirement[] {
  const { writes, destroys } = tool?.hints ?? parseHints(undefined);
  const kinds = {
    write: writes,
    destructive: destroys,
    billable: isMarked(body.billable, name),
  };
  return body.approve
    .filter(({ of }) => (typeof of === 'string' ? kinds[of] : of.resembles(name)))
    .map(({ of, pointer }) => {
      const { timeout, dedupe } = policy.approvals;
      const why = typeof of === 'string' ? `${of} tools need` : `"${of.text}" needs`;
      const sentence = `The policy says that ${why} a person's agreement`;
      const definition = tool?.definition;
      return {
        file: policy.file,
        pointer,
        message: sentence,
        timeout,
        dedupe,
        per: 'session',
        definition,
      };
    });
}

function isMarked(list: PolicyBody['billable'], name: string): boolean {
  return list.some((mark) => mark.name.resembles(name));
}

function toRuleMatch(
  file: string,
  rule: Rule,
  subject: Subject,
  facts?: EvaluationInput,
): RuleMatch {
  const named = rule.name ? `rule "${rule.name}"` : `rule ${rule.pointer}`;
  const fault = rule.kind === 'schema' && facts?.schemaFault(rule.extent);
  const standard = {
    deny: `${describeSubject(subject)} is refused by ${named}`,
    require: `${describeSubject(subject)} does not meet ${named}`,
    schema: `The arguments do not fit ${describeSubject(subject, 'the tool')}: ${fault}`,
    approval: `${describeSubject(subject)} needs a person's agreement by ${named}`,
    limit: `${describeSubject(subject)} is limited by ${named}`,
  }[rule.kind];
  const sentence =
    rule.message && fault ? `${rule.message} (${fault})` : (rule.message ?? standard);
  return createRuleMatch(file, rule.pointer, sentence);
}

function describeSubject({ kind, name }: Subject, noun = `The ${kind}`): string {
  return `${noun} ${JSON.stringify(name.slice(0, 100))}`;
}

function createUnknownCallerMatch({ file }: Policy): RuleMatch {
  return createRuleMatch(
    file,
    '',
    'The policy has rules for callers, and who calls could not be found out',
  );
}

function createRuleMatch(file: string, pointer: string, sentence: string): RuleMatch {
  return { file, pointer, message: sentence };
}

function denyBy(match: RuleMatch): Denial {
  return { effect: 'deny', match };
}

/** The runtime and caller of a message. They select sections of a document. */
interface RuleScope {
  readonly runtime: string;
  readonly caller: string | undefined;
}

/** Maximum cached combinations of runtime and caller. */
const MAX_SCOPES = 100;

const bodies = new WeakMap<Policy, Map<string, PolicyBody>>();

/** Returns the rules of a document and of its matching sections, for one runtime and caller. */
function resolveRules(policy: Policy, scope: RuleScope): PolicyBody {
  if (policy.sections.length === 0) return policy.body;
  const known = bodies.get(policy) ?? new Map<string, PolicyBody>();
  bodies.set(policy, known);
  const key = `${scope.runtime} ${scope.caller}`;
  const body = known.get(key) ?? mergeSections(policy, scope);
  if (known.size >= MAX_SCOPES) known.clear();
  known.set(key, body);
  return body;
}

function mergeSections({ body, sections }: Policy, { runtime, caller }: RuleScope): PolicyBody {
  const names = {
    runtimes: getRuntimeNames(runtime),
    callers: caller ? getCallerNames(caller) : [],
  };
  const fitting = sections.filter(({ of, matching }) =>
    matching.some((pattern) => names[of].some((name) => pattern.matches(name))),
  );
  const all = [body, ...fitting];
  const defaults = fitting.flatMap((section) => section.default ?? []);
  const catalogs = all.flatMap(({ catalog }) => catalog ?? []);
  return {
    // A section's default overrides the document's. If several sections match, the strictest
    // applies.
    default: defaults.find(({ effect }) => effect === 'deny') ?? defaults[0] ?? body.default,
    // A section's catalog overrides the document's. If several sections match, the last applies.
    catalog: catalogs.at(-1),
    hidden: all.flatMap(({ hidden }) => hidden),
    billable: all.flatMap(({ billable }) => billable),
    approve: all.flatMap(({ approve }) => approve),
    entries: all.flatMap(({ entries }) => entries),
    budgets: all.flatMap(({ budgets }) => budgets),
  };
}

/** Returns the names of a runtime in documents: the ARN, the id, and the id without its suffix. */
function getRuntimeNames(arn: string): string[] {
  const id = arn.split('/')[1] ?? arn;
  return [arn, id, id.replace(/-[A-Za-z0-9]{10}$/, '')];
}

/** Returns the names of a caller in documents: the ARN from STS, and the ARN of an assumed role. */
function getCallerNames(arn: string): string[] {
  const match = /^(arn:[^:]+):sts::(\d+):assumed-role\/(.+)\/[^/]+$/.exec(arn);
  return match ? [arn, `${match[1]}:iam::${match[2]}:role/${match[3]}`] : [arn];
}

/** A passed limit on a single call. It needs no counter. */
interface Nothing {
  readonly counter?: undefined;
}

/** Creates the reservation of a limit. Denies the call if its amount is invalid or too large. */
function createReservation(
  rule: LimitRule,
  file: string,
  facts: EvaluationInput,
): Reservation | Nothing | { readonly refused: RuleMatch } {
  const { pointer, counter, most, isExclusive } = rule;
  const amount = typeof rule.increment === 'number' ? rule.increment : getAmount(rule, facts);
  if (amount === undefined) {
    const path = typeof rule.increment === 'object' ? rule.increment.text : '';
    const sentence = `The policy counts ${path}, which must be a number of 0 or more, once`;
    return { refused: { file, pointer, message: sentence } };
  }
  const reservation = {
    file,
    pointer,
    message: formatLimitMessage(rule),
    counter,
    amount,
    most,
    isExclusive,
  };
  if (counter.window.label !== 'call') return reservation;
  return most !== undefined && amount > most ? { refused: reservation } : {};
}

function formatLimitMessage({ message, counter, most, increment }: LimitRule): string {
  if (message) return message;
  const { window } = counter;
  const per = window.kind === 'fixed' ? window.label : `${window.label} (sliding)`;
  if (increment === 1) return `Rate limit of ${most} per ${per} reached. Try again later.`;
  return `The limit of ${most} per ${per} would be exceeded.`;
}

/**
 * Reads the amount from the arguments. Returns `undefined` for a negative number, which would
 * refund earlier use. Also for ambiguous keys, because the server may read either of them.
 */
function getAmount({ increment }: LimitRule, facts: EvaluationInput): number | undefined {
  if (typeof increment === 'number') return increment;
  let value: unknown = increment.text.startsWith('args.') ? facts.arguments : facts.params;
  for (const key of increment.keys) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    const skeleton = toSkeleton(key);
    if (Object.keys(value).filter((own) => toSkeleton(own) === skeleton).length > 1)
      return undefined;
    value = value[key];
  }
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}
