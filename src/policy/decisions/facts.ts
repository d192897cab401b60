import { isObject, type JsonObject } from '../../mcp/message.ts';
import type { Counter, SubjectKind } from '../documents/policy.ts';
import type { Window } from '../documents/windows.ts';

/** A tool or prompt as the server lists it. */
export interface ToolFacts {
  readonly hints: Hints;
  readonly inputSchema: unknown;
  /** Stays equal while the server describes the tool in the same way; `undefined` if not known. */
  readonly definition?: string | undefined;
}

/** The effects of a tool according to its annotations. */
export interface Hints {
  readonly writes: boolean;
  readonly destroys: boolean;
}

/** Missing hints get the defaults of MCP: a tool writes and destroys. */
export function parseHints(annotations: unknown): Hints {
  const given = isObject(annotations) ? annotations : {};
  const writes = given.readOnlyHint !== true;
  return { writes, destroys: writes && given.destructiveHint !== false };
}

/** All inputs of a decision. Equal facts always lead to the same decision. */
export interface EvaluationInput {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** The named item of the message, besides the method. */
  readonly subject: { readonly kind: SubjectKind; readonly name: string } | undefined;
  readonly params: JsonObject;
  /** Arguments of a tool or prompt, or the params if a message has no arguments. */
  readonly arguments: JsonObject;
  /** ARN of the calling identity; `undefined` if not known. */
  readonly caller: string | undefined;
  /** ARN of the runtime or gateway. */
  readonly runtime: string;
  /** `undefined` if the server does not list such a tool or prompt. */
  readonly tool: ToolFacts | undefined;
  /** The current value of a counter. */
  readonly count: (file: string, counter: Counter) => number;
  /** Usage of runtime sessions in a window; `undefined` if it cannot be determined. */
  readonly spent: (window: Window) => Spent | undefined;
  /** The mismatch between the arguments and the tool's own schema, as the end of a sentence. */
  readonly schemaFault: (extent: 'schema' | 'required') => string | undefined;
}

export interface Spent {
  /** Upper bound of the cost in US dollars: only AWS has the actual cost. */
  readonly usd: number;
  /** Number of sessions started. */
  readonly sessions: number;
}

/** The rule and document of a decision, with the message for the agent. */
export interface RuleMatch {
  readonly file: string;
  /** JSON pointer of the rule. */
  readonly pointer: string;
  readonly message: string;
}

/** An amount to add to a counter if the sum stays within `most`. */
export interface Reservation extends RuleMatch {
  readonly counter: Counter;
  readonly amount: number;
  readonly most: number | undefined;
  readonly isExclusive: boolean;
}

/** A required approval by a person. */
export interface ApprovalRequirement extends RuleMatch {
  /** Milliseconds until the question expires. */
  readonly timeout: number;
  /** Milliseconds after a decline. During this time the same call is denied without a question. */
  readonly dedupe: number;
  readonly per: 'call' | 'session';
  /** The definition of the tool at the time of the decision. */
  readonly definition: string | undefined;
}

export type Decision =
  | { readonly effect: 'deny'; readonly ruling: RuleMatch; readonly isHidden: boolean }
  | {
      readonly effect: 'allow';
      readonly asks: readonly ApprovalRequirement[];
      readonly reservations: readonly Reservation[];
    };
