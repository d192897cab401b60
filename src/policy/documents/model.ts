import type { SubjectKind } from '../../mcp/protocol.ts';
import type { NamePattern } from './name-pattern.ts';
import type { Operator, RedactInput } from './schema.ts';
import type { Window } from './windows.ts';

/**
 * A parsed policy document, of any format. Pointers are JSON pointers into the document.
 */
export interface Policy {
  readonly file: string;
  readonly body: PolicyBody;
  /** Parts for specific runtimes or callers, in document order. */
  readonly sections: readonly Section[];
  /** True if a rule depends on the caller. */
  readonly needsCaller: boolean;
  readonly approvals: ApprovalSettings;
  /** True if calls without an audit record must be denied. */
  readonly auditRequired: boolean;
  readonly redact: RedactInput | undefined;
}

/** The rules of a document or of one section. */
export interface PolicyBody {
  readonly default: { readonly effect: 'allow' | 'deny'; readonly pointer: string } | undefined;
  readonly hidden: readonly Mark[];
  /** The only tools available to the agent. If absent, all tools are. */
  readonly catalog:
    | { readonly names: readonly NamePattern[]; readonly pointer: string }
    | undefined;
  readonly billable: readonly Mark[];
  /** Tools that require a person's approval. */
  readonly approve: readonly ApprovalMark[];
  readonly entries: readonly Entry[];
  readonly budgets: readonly Budget[];
}

/** Additional rules for some runtimes or callers. */
export interface Section extends PolicyBody {
  readonly of: 'runtimes' | 'callers';
  readonly matching: readonly NamePattern[];
}

/** A name in a list of the document, such as `hidden`. */
export interface Mark {
  readonly kind: SubjectKind;
  readonly name: NamePattern;
  readonly pointer: string;
}

/** Tools that require an approval. */
export interface ApprovalMark {
  /** A category of tools, or a name. */
  readonly of: 'destructive' | 'write' | 'billable' | NamePattern;
  readonly pointer: string;
}

/** The rules for a tool, prompt, resource or method. */
export interface Entry {
  readonly kind: SubjectKind;
  readonly name: NamePattern;
  readonly pointer: string;
  /** False for `*`: such an entry does not allow a tool under `default: deny`. */
  readonly lists: boolean;
  readonly rules: readonly Rule[];
  /** Prefix of the item's description in lists. */
  readonly describe: string | undefined;
}

interface RuleBase {
  readonly pointer: string;
  readonly name: string | undefined;
  /** Message for the agent, if the document has one. */
  readonly message: string | undefined;
}

/** A rule of an entry. */
export type Rule = DenyRule | RequireRule | ApprovalRule | SchemaRule | LimitRule;

/** Denies the call if its conditions hold. Without conditions, always. */
interface DenyRule extends RuleBase {
  readonly kind: 'deny';
  readonly when: GuardCondition | undefined;
}

/** Denies the call if its conditions do not hold. */
interface RequireRule extends RuleBase {
  readonly kind: 'require';
  readonly holds: GuardCondition;
}

/** Requires an approval if its conditions hold. Without conditions, always. */
interface ApprovalRule extends RuleBase {
  readonly kind: 'approval';
  readonly when: GuardCondition | undefined;
  /** Milliseconds until the question expires. */
  readonly timeout: number | undefined;
  readonly per: 'call' | 'session';
}

/**
 * Checks the arguments against the tool's own schema (`schema`), or only for missing arguments
 * (`required`).
 */
interface SchemaRule extends RuleBase {
  readonly kind: 'schema';
  readonly extent: 'schema' | 'required';
}

/** Counts the call. Denies it if the count would exceed `most`. */
export interface LimitRule extends RuleBase {
  readonly kind: 'limit';
  readonly counter: Counter;
  /** A fixed amount, or the path of an argument. */
  readonly increment: number | ArgumentPath;
  readonly most: number | undefined;
  /** True if the count must stay below `most`. */
  readonly isExclusive: boolean;
}

/** A counter of calls or amounts in a window. */
export interface Counter {
  /** Unique in the document: the entry and the counter's name. */
  readonly key: string;
  readonly window: Window;
  readonly scope: Scope;
}

/** The calls that share a count: those of one agent session, of one caller (`grant`), or all. */
export type Scope = 'session' | 'grant' | 'global';

/** Maximum cost of runtime sessions in a window, or maximum number of new ones. */
interface Budget extends RuleBase {
  readonly unit: 'usd' | 'sessions';
  readonly most: number;
  readonly window: Window;
}

interface ApprovalSettings {
  /** Milliseconds until a question expires. */
  readonly timeout: number;
  /** Milliseconds after a decline. Meanwhile the same call is denied without a question. */
  readonly dedupe: number;
}

/** The path of a value in the arguments, or in the params of a method. */
export interface ArgumentPath {
  readonly text: string;
  readonly keys: readonly string[];
}

/** A condition of a rule: a comparison, or a group of conditions. */
export type GuardCondition =
  | { readonly all: readonly GuardCondition[] }
  | { readonly any: readonly GuardCondition[] }
  | Comparison;

/** Compares an argument or a counter with a value. */
export interface Comparison {
  readonly path: ArgumentPath | { readonly counter: Counter; readonly text: string };
  readonly op: Operator;
  /** Has the type required by the operator. For `regex`, a compiled expression. */
  readonly value: unknown;
}
