import type { RedactInput } from './document-schema.ts';
import type { NamePattern } from './name-pattern.ts';
import type { Window } from './windows.ts';

/** What every form of a policy document is read into. Pointers are JSON pointers into the document. */
export interface Policy {
  readonly file: string;
  readonly body: PolicyBody;
  /** Parts for some runtimes or callers alone, in the order of the document. */
  readonly sections: readonly Section[];
  /** True where a rule cannot be judged without knowing who calls. */
  readonly needsCaller: boolean;
  readonly approvals: ApprovalSettings;
  /** True where calls are refused that cannot be put on record. */
  readonly auditRequired: boolean;
  /** What is replaced on the way. */
  readonly redact: RedactInput | undefined;
}

/** Rules for whom the document or a section of it is. */
export interface PolicyBody {
  readonly default: { readonly effect: 'allow' | 'deny'; readonly pointer: string } | undefined;
  readonly hidden: readonly Mark[];
  /** The tools that there are at all; all of them where it is absent. */
  readonly catalog:
    | { readonly names: readonly NamePattern[]; readonly pointer: string }
    | undefined;
  readonly billable: readonly Mark[];
  /** Tools that a person has to agree to. */
  readonly approve: readonly ApprovalMark[];
  readonly entries: readonly Entry[];
  readonly budgets: readonly Budget[];
}

export interface Section extends PolicyBody {
  readonly of: 'runtimes' | 'callers';
  readonly matching: readonly NamePattern[];
}

/** What a rule can be about. A method stands for every message of that method. */
export type SubjectKind = 'tool' | 'prompt' | 'resource' | 'method';

/** A name that a list of the document names. */
export interface Mark {
  readonly kind: SubjectKind;
  readonly name: NamePattern;
  readonly pointer: string;
}

export interface ApprovalMark {
  /** A kind of tools by what they say of themselves, or names. */
  readonly of: 'destructive' | 'write' | 'billable' | NamePattern;
  readonly pointer: string;
}

/** What the document says of a tool, prompt, resource or method. */
export interface Entry {
  readonly kind: SubjectKind;
  readonly name: NamePattern;
  readonly pointer: string;
  /** False for `*`, which never rescues under `default: deny`. */
  readonly lists: boolean;
  readonly rules: readonly Rule[];
  /** Put in front of the description in lists. */
  readonly describe: string | undefined;
}

interface OfRule {
  readonly pointer: string;
  readonly name: string | undefined;
  /** What the agent is told, where the document says that. */
  readonly sentence: string | undefined;
}

export type Rule = DenyRule | RequireRule | ApprovalRule | SchemaRule | LimitRule;

/** Refuses where its conditions hold, or always where it has none. */
interface DenyRule extends OfRule {
  readonly kind: 'deny';
  readonly when: Guard | undefined;
}

/** Refuses where its conditions do not hold. */
interface RequireRule extends OfRule {
  readonly kind: 'require';
  readonly holds: Guard;
}

/** Asks a person where its conditions hold, or always where it has none. */
interface ApprovalRule extends OfRule {
  readonly kind: 'approval';
  readonly when: Guard | undefined;
  /** Milliseconds. */
  readonly timeout: number | undefined;
  readonly per: 'call' | 'session';
}

/** Checks the arguments against the tool's own schema, or that what it requires is there. */
interface SchemaRule extends OfRule {
  readonly kind: 'schema';
  readonly extent: 'schema' | 'required';
}

/** Counts, and refuses where that would go beyond `most`. */
export interface LimitRule extends OfRule {
  readonly kind: 'limit';
  readonly counter: Counter;
  /** Adds so much, or what an argument says. */
  readonly increment: number | ArgumentPath;
  readonly most: number | undefined;
  /** True where `most` itself is too much. */
  readonly isExclusive: boolean;
}

export interface Counter {
  /** Unique in the document: the entry and the counter's name. */
  readonly key: string;
  readonly window: Window;
  readonly scope: Scope;
}

/** Who shares a count: the agent's session, all that one identity does, everybody. */
export type Scope = 'session' | 'grant' | 'global';

/** What runtime sessions may cost, or how many of them may be begun. */
interface Budget extends OfRule {
  readonly unit: 'usd' | 'sessions';
  readonly most: number;
  readonly window: Window;
}

interface ApprovalSettings {
  /** Milliseconds that a question stays open. */
  readonly timeout: number;
  /** Milliseconds for which nobody is asked again after a no to the same arguments. */
  readonly dedupe: number;
}

/** Keys that lead to a value below the arguments, or the params of a method. */
export interface ArgumentPath {
  readonly text: string;
  readonly keys: readonly string[];
}

/** All, any, or one comparison. */
export type Guard =
  | { readonly all: readonly Guard[] }
  | { readonly any: readonly Guard[] }
  | Comparison;

export interface Comparison {
  readonly path: ArgumentPath | { readonly counter: Counter; readonly text: string };
  readonly op: Operator;
  /** In the form that the operator wants; a compiled expression for `regex`. */
  readonly value: unknown;
}

export const OPERATORS = [
  'eq',
  'neq',
  'in',
  'not_in',
  'lt',
  'lte',
  'gt',
  'gte',
  'regex',
  'contains',
  'exists',
] as const;
export type Operator = (typeof OPERATORS)[number];
