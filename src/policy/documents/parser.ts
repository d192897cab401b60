import { RE2JS, RE2JSException } from 're2js';
import type { SubjectKind } from '../../mcp/protocol.ts';
import type {
  ApprovalMark,
  ArgumentPath,
  Comparison,
  Counter,
  Entry,
  GuardCondition,
  LimitRule,
  Mark,
  Policy,
  PolicyBody,
  Rule,
  Section,
} from './model.ts';
import { createNamePattern } from './name-pattern.ts';
import {
  type BodyInput,
  type Condition,
  type DocumentInput,
  documentSchema,
  type EntryInput,
  type LimitInput,
  type RuleInput,
  type WindowInput,
} from './schema.ts';
import { DocumentText, type Problem } from './source-text.ts';
import {
  createCalendarWindow,
  createSlidingWindow,
  NAMED_WINDOWS,
  readDuration,
  type Window,
} from './windows.ts';

type ReadPolicy =
  | { readonly policy: Policy; readonly problems: readonly [] }
  | { readonly policy?: undefined; readonly problems: readonly Problem[] };

/** Default milliseconds until a question to a person expires. */
const APPROVAL_TIMEOUT = 120_000;

const APPROVE_KINDS = ['destructive', 'write', 'billable'] as const;

/**
 * Parses a policy document of any supported format: Intercept's YAML, PolicyLayer's JSON, catalog
 * snippets, and our extensions. Returns all problems with their positions.
 */
export function parsePolicy(text: string, file: string): ReadPolicy {
  const source = new DocumentText(text, file, true);
  if (source.problems.length > 0) return { problems: source.problems };
  const unusable = findUnusableKeys(source.value);
  if (unusable.length > 0) {
    return {
      problems: unusable.map((path) => source.problem(path, 'cannot be the name of anything')),
    };
  }
  const parsed = documentSchema.safeParse(source.value ?? {});
  if (!parsed.success) {
    return { problems: parsed.error.issues.flatMap((issue) => source.toProblems(issue)) };
  }
  const problems: Problem[] = [];
  const reader = new PolicyReader(parsed.data, (path, message) => {
    problems.push(source.problem(path, message));
  });
  const policy = reader.read(file);
  return problems.length > 0 ? { problems } : { policy, problems: [] };
}

type Path = readonly (string | number)[];

class PolicyReader {
  readonly #document: DocumentInput;
  readonly #complain: (path: readonly PropertyKey[], message: string) => void;
  readonly #counters = new Map<string, Counter>();

  constructor(
    document: DocumentInput,
    complain: (path: readonly PropertyKey[], message: string) => void,
  ) {
    this.#document = document;
    this.#complain = complain;
  }

  read(file: string): Policy {
    const document = this.#document;
    // Read counters first: a rule may refer to a counter of a later entry.
    this.#eachEntry((entry, kind, name, path) => this.#declare(entry, kind, name, path));
    const sections = (['runtimes', 'callers'] as const).flatMap((of) =>
      (document[of] ?? []).map(
        (section, index): Section => ({
          ...this.#body(section, [of, index]),
          of,
          matching: section.match.map(createNamePattern),
        }),
      ),
    );
    const body = this.#body(document, []);
    document.redact?.patterns?.forEach(({ pattern }, index) => {
      compilePattern(pattern, (message) =>
        this.#complain(['redact', 'patterns', index, 'pattern'], message),
      );
    });
    const { approvals } = document;
    return {
      file,
      body,
      sections,
      needsCaller:
        sections.some(({ of }) => of === 'callers') || [body, ...sections].some(hasGrantLimit),
      approvals: {
        timeout: readDuration(approvals?.timeout ?? '') ?? APPROVAL_TIMEOUT,
        dedupe: readDuration(approvals?.dedupe_window ?? '') ?? 0,
      },
      auditRequired: document.audit === 'required',
      redact: document.redact,
    };
  }

  #body(input: BodyInput, path: Path): PolicyBody {
    const at = (...more: Path) => toJsonPointer([...path, ...more]);
    const marks = (
      key: 'hide' | 'hide_prompts' | 'hide_resources' | 'billable',
      kind: SubjectKind,
    ) =>
      (input[key] ?? []).map(
        (name, index): Mark => ({ kind, name: createNamePattern(name), pointer: at(key, index) }),
      );
    const entries: Entry[] = [];
    this.#visitEntries(input, path, (entry, kind, name, entryPath) => {
      entries.push(this.#entry(entry, kind, name, entryPath));
    });
    return {
      default: input.default && { effect: input.default, pointer: at('default') },
      hidden: [
        ...marks('hide', 'tool'),
        ...marks('hide_prompts', 'prompt'),
        ...marks('hide_resources', 'resource'),
      ],
      catalog: input.catalog && {
        names: input.catalog.map(createNamePattern),
        pointer: at('catalog'),
      },
      billable: marks('billable', 'tool'),
      approve: (input.approve ?? []).map(
        (name, index): ApprovalMark => ({
          of: APPROVE_KINDS.find((kind) => kind === name) ?? createNamePattern(name),
          pointer: at('approve', index),
        }),
      ),
      // Exact names come first, then globs, then `*`.
      entries: entries.toSorted((a, b) => getGenerality(a) - getGenerality(b)),
      budgets: (input.budgets ?? []).map((budget, index) => ({
        pointer: at('budgets', index),
        name: undefined,
        message: budget.on_deny,
        unit: budget.usd === undefined ? 'sessions' : 'usd',
        most: budget.usd ?? budget.sessions ?? 0,
        window: readWindow(budget.window),
      })),
    };
  }

  #entry(entry: EntryInput, kind: SubjectKind, name: string, path: Path): Entry {
    const pointer = toJsonPointer(path);
    return {
      kind,
      name: createNamePattern(name),
      pointer,
      lists: name !== '*',
      describe: entry.describe,
      rules: this.#rules(entry, kind, name, path, (reference) => this.#counters.get(reference)),
    };
  }

  #rules(
    entry: EntryInput,
    kind: SubjectKind,
    name: string,
    path: Path,
    findCounter: FindCounter,
    complain = this.#complain,
  ): Rule[] {
    return readRules(entry, {
      pointer: toJsonPointer(path),
      scopeName: getScopeName(kind, name),
      findCounter,
      complain: (more, message) => complain([...path, ...more], message),
    });
  }

  /** Collects the counters of an entry. Defining a counter twice in one entry is an error. */
  #declare(entry: EntryInput, kind: SubjectKind, name: string, path: Path): void {
    const seen = new Set<string>();
    const anyCounter = { key: '', window: readWindow('day'), scope: 'session' } as const;
    const ignore = () => undefined;
    for (const rule of this.#rules(entry, kind, name, path, () => anyCounter, ignore)) {
      if (rule.kind !== 'limit') continue;
      const reference = `state.${rule.counter.key}`;
      if (seen.has(reference)) {
        const where = rule.pointer.slice(toJsonPointer(path).length + 1).split('/');
        this.#complain(
          [...path, ...where],
          `counts "${rule.counter.key}" a second time in this entry`,
        );
      }
      seen.add(reference);
      const known = this.#counters.get(reference);
      if (
        known &&
        (known.window.label !== rule.counter.window.label || known.scope !== rule.counter.scope)
      ) {
        this.#complain(
          path,
          `counts "${rule.counter.key}" over another window or scope than elsewhere`,
        );
      }
      this.#counters.set(reference, rule.counter);
    }
  }

  #eachEntry(visit: VisitEntry): void {
    this.#visitEntries(this.#document, [], visit);
    for (const part of ['runtimes', 'callers'] as const) {
      this.#document[part]?.forEach((section, index) => {
        this.#visitEntries(section, [part, index], visit);
      });
    }
  }

  #visitEntries(input: BodyInput, path: Path, visit: VisitEntry): void {
    for (const [key, kind] of ENTRY_KEYS) {
      for (const [name, entry] of Object.entries(input[key] ?? {})) {
        visit(entry ?? {}, kind, name, [...path, key, name]);
      }
    }
    if (input.all_tools) visit(input.all_tools, 'tool', '*', [...path, 'all_tools']);
  }
}

type VisitEntry = (entry: EntryInput, kind: SubjectKind, name: string, path: Path) => void;

const ENTRY_KEYS = [
  ['tools', 'tool'],
  ['prompts', 'prompt'],
  ['resources', 'resource'],
  ['methods', 'method'],
] as const;

/** Returns the prefix of an entry's counters: the tool's name, or `_global` for `*`. */
function getScopeName(kind: SubjectKind, name: string): string {
  const own = name === '*' ? '_global' : name;
  return kind === 'tool' ? own : `${kind}:${own}`;
}

function getGenerality({ name }: Entry): number {
  if (name.text === '*') return 2;
  return /[*?]/.test(name.text) ? 1 : 0;
}

function hasGrantLimit({ entries }: PolicyBody): boolean {
  return entries.some(({ rules }) =>
    rules.some((rule) => rule.kind === 'limit' && rule.counter.scope === 'grant'),
  );
}

/** Finds keys named `__proto__`. JavaScript objects ignore them, so their rules would be lost. */
function findUnusableKeys(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) =>
    key === '__proto__' ? [[...path, key]] : findUnusableKeys(below, [...path, key]),
  );
}

/** Formats a path as a JSON pointer (RFC 6901). */
function toJsonPointer(path: Path): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The entry of rules, and the counters available to them. */
interface RuleContext {
  /** The JSON pointer of the entry. */
  readonly pointer: string;
  /** Prefix of the entry's counters. */
  readonly scopeName: string;
  readonly findCounter: FindCounter;
  readonly complain: Complain;
}

type Common = Pick<Rule, 'pointer' | 'name' | 'message'>;

/** Reads all rules of an entry, in the order of evaluation. */
function readRules(entry: EntryInput, context: RuleContext): Rule[] {
  const { pointer, findCounter } = context;
  const listed = (
    key: 'require' | 'deny_if',
    make: (common: Common, guard: GuardCondition) => Rule,
  ): Rule[] =>
    (entry[key] ?? []).map((condition: Condition, index) => {
      const guard = readCondition(condition, findCounter, (path, message) =>
        context.complain([key, index, ...path], message),
      );
      const common = {
        pointer: `${pointer}/${key}/${index}`,
        name: undefined,
        message: getDenyMessage(condition),
      };
      return make(common, guard);
    });
  return [
    ...(entry.rules ?? []).flatMap((rule, index) => readRule(rule, index, context)),
    ...listed('deny_if', (common, when) => ({ ...common, kind: 'deny', when })),
    ...listed('require', (common, holds) => ({ ...common, kind: 'require', holds })),
    ...(entry.limits ?? []).map((limit, index) => readLimit(limit, index, context)),
  ];
}

function readRule(rule: RuleInput, index: number, context: RuleContext): Rule[] {
  const common: Common = {
    pointer: `${context.pointer}/rules/${index}`,
    name: rule.name,
    message: getDenyMessage(rule),
  };
  if (rule.action === 'deny') return [{ ...common, kind: 'deny', when: undefined }];
  const complain: Complain = (path, message) =>
    context.complain(['rules', index, ...path], message);
  const guard = readGuard(rule, context, complain);
  if (rule.action === 'require_approval') {
    return [
      {
        ...common,
        kind: 'approval',
        when: guard,
        timeout: rule.approval_timeout ? readDuration(rule.approval_timeout) : undefined,
        per: rule.approval ?? 'session',
      },
    ];
  }
  const { validate } = rule;
  const checks: Rule[] = [];
  if (guard) checks.push({ ...common, kind: 'require', holds: guard });
  if (validate === 'schema' || (typeof validate === 'object' && validate.schema)) {
    checks.push({ ...common, kind: 'schema', extent: 'schema' });
  } else if (typeof validate === 'object' && validate.required_args) {
    checks.push({ ...common, kind: 'schema', extent: 'required' });
  }
  return [...checks, ...readLimits(rule, common, index, context)];
}

/**
 * Reads the conditions of a rule. If a condition compares the rule's own counter with a maximum, it
 * is a limit, not a condition: it includes the amount of the call.
 */
function readGuard(
  rule: RuleInput,
  { findCounter, scopeName }: RuleContext,
  complain: Complain,
): GuardCondition | undefined {
  const guards = (rule.conditions ?? []).flatMap((condition, index) => {
    if (isOwnLimit(condition, rule, scopeName)) return [];
    const complainHere: Complain = (path, message) =>
      complain(['conditions', index, ...path], message);
    return [readCondition(condition, findCounter, complainHere)];
  });
  if (rule.any_of) {
    const any = rule.any_of.map((condition, index) =>
      readCondition(condition, findCounter, (path, message) =>
        complain(['any_of', index, ...path], message),
      ),
    );
    guards.push({ any });
  }
  return guards.length > 1 ? { all: guards } : guards[0];
}

function isOwnLimit(condition: Condition, rule: RuleInput, scopeName: string): boolean {
  const { op, path } = condition;
  if (!rule.state || (op !== 'lt' && op !== 'lte')) return false;
  return path === `state.${scopeName}.${rule.state.counter}`;
}

function readLimits(
  rule: RuleInput,
  common: Common,
  index: number,
  context: RuleContext,
): LimitRule[] {
  const { rate_limit: rate, state, spend, scope = 'session' } = rule;
  const { scopeName } = context;
  const counter = (name: string, window: Window): Counter => ({
    key: `${scopeName}.${name}`,
    window,
    scope,
  });
  const limits: LimitRule[] = [];
  const plain = { ...common, kind: 'limit', increment: 1, isExclusive: false } as const;
  if (rate !== undefined) {
    const { most, window } = readRate(rate);
    const name = `_rate_${typeof rate === 'string' ? '' : `${index}_`}${window.label}`;
    limits.push({ ...plain, counter: counter(name, window), most });
  }
  if (state) {
    const own = (rule.conditions ?? []).filter((one) => isOwnLimit(one, rule, scopeName));
    const { increment, increment_from: from } = state;
    const counted = counter(state.counter, readWindow(state.window));
    const adding = {
      ...plain,
      counter: counted,
      increment: from ? parseArgumentPath(from) : (increment ?? 1),
    };
    if (own.length === 0) limits.push({ ...adding, most: undefined });
    // If a counter has several maximums, the lowest applies.
    const lowest = own.toSorted(
      (a, b) => Number(a.value) - Number(b.value) || (a.op === 'lt' ? -1 : 1),
    )[0];
    if (lowest)
      limits.push({ ...adding, most: Number(lowest.value), isExclusive: lowest.op === 'lt' });
  }
  if (spend) {
    const increment = parseArgumentPath(spend.from ?? 'args.amount');
    if (spend.per_call !== undefined) {
      const each = { ...createCalendarWindow('day'), milliseconds: 0, label: 'call' };
      limits.push({
        ...plain,
        increment,
        counter: counter('_spend_call', each),
        most: spend.per_call,
      });
    }
    if (spend.daily !== undefined) {
      const daily = counter('_spend_day', createCalendarWindow('day'));
      limits.push({ ...plain, increment, counter: daily, most: spend.daily });
    }
  }
  return limits;
}

function readLimit(limit: LimitInput, index: number, context: RuleContext): LimitRule {
  const { counter, window, scope = 'session', max, increment = 1, increment_from: from } = limit;
  return {
    kind: 'limit',
    pointer: `${context.pointer}/limits/${index}`,
    name: undefined,
    message: getDenyMessage(limit),
    counter: { key: `${context.scopeName}.${counter}`, window: readWindow(window), scope },
    increment: from ? parseArgumentPath(from) : increment,
    most: max,
    isExclusive: false,
  };
}

function readRate(rate: NonNullable<RuleInput['rate_limit']>): { most: number; window: Window } {
  if (typeof rate === 'object') return { most: rate.max, window: readWindow(rate.window) };
  const [count = '', window = ''] = rate.split('/');
  return { most: Number(count), window: readWindow(window) };
}

function getDenyMessage({ on_deny: message, reason }: Pick<Condition, 'on_deny' | 'reason'>) {
  return message || reason || undefined;
}

/** Reads a window. A name is a calendar window, and a duration is a sliding window. */
function readWindow(input: WindowInput): Window {
  if (typeof input === 'number') return createSlidingWindow(input * 1000, `${input} s`);
  const named = NAMED_WINDOWS.find((name) => name === input);
  return named ? createCalendarWindow(named) : createSlidingWindow(readDuration(input) ?? 0, input);
}

/** Reports a problem at a path relative to the value. */
type Complain = (path: readonly PropertyKey[], message: string) => void;

/** Finds the counter of a reference such as `state.TOOL.COUNTER`. */
type FindCounter = (reference: string) => Counter | undefined;

/** Reads a condition or a group of conditions. */
function readCondition(
  condition: Condition,
  findCounter: FindCounter,
  complain: Complain,
): GuardCondition {
  for (const group of ['any_of', 'all_of'] as const) {
    const members = condition[group];
    if (!members) continue;
    const guards = members.map((member, index) =>
      readCondition(member, findCounter, (path, message) =>
        complain([group, index, ...path], message),
      ),
    );
    return group === 'any_of' ? { any: guards } : { all: guards };
  }
  return readComparison(condition, findCounter, complain);
}

function readComparison(
  { path = '', op = 'exists', value }: Condition,
  findCounter: FindCounter,
  complain: Complain,
): Comparison {
  if (path.startsWith('state.')) {
    const counter = findCounter(path);
    if (counter)
      return {
        path: { counter, text: path },
        op,
        value: prepareComparisonValue(op, value, complain),
      };
    complain(['path'], `no rule of this document counts "${path}"`);
  }
  return { path: parseArgumentPath(path), op, value: prepareComparisonValue(op, value, complain) };
}

/** Parses `args.a.b`, or `params.a.b` for the params of a method. */
function parseArgumentPath(text: string): ArgumentPath {
  return { text, keys: text.split('.').slice(1) };
}

function prepareComparisonValue(op: Comparison['op'], value: unknown, complain: Complain): unknown {
  if (op !== 'regex') return value;
  return compilePattern(String(value), (message) => complain(['value'], message));
}

/**
 * Compiles a pattern with RE2. It takes linear time and has Go's syntax, like Intercept.
 */
function compilePattern(pattern: string, complain: (message: string) => void): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch (thrown) {
    const reason = thrown instanceof RE2JSException ? thrown.message : 'it cannot be read';
    complain(`is not a regular expression (RE2): ${reason}`);
    return undefined;
  }
}
