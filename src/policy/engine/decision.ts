import { basename } from 'node:path';
import type { JsonObject, JsonRpcRequest } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import type { Peer, RequestContext } from '../../relay/peer.ts';
import type { ToolFacts } from '../../relay/tool-catalog.ts';
import type { AuditedRequest } from '../../state/audit/records.ts';
import type { Addition, CounterGroup } from '../../state/counters.ts';
import type { Counter, Policy } from '../documents/model.ts';
import type { Window } from '../documents/windows.ts';

/** Details of a question in addition to the request. */
export type ApprovalDetails = Pick<ApprovalQuestion, 'runtime' | 'caller' | 'spent'>;

/** A question to a person about a request that requires approval. */
export interface ApprovalQuestion {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** Name of the tool, prompt or resource; the method if the request has none. */
  readonly tool: string;
  /** JSON text of the arguments as sent; of all params if the method has no arguments. */
  readonly arguments: string;
  readonly runtime: string;
  readonly caller: string | undefined;
  /** Usage of runtime sessions today; `undefined` if it cannot be determined. */
  readonly spent: Spent | undefined;
  readonly approvals: readonly ApprovalRequirement[];
  /** True if an approval may apply to the rest of the session. */
  readonly mayLast: boolean;
}

/** A tool, prompt, resource or method as the subject of rules. */
export interface Subject {
  readonly kind: SubjectKind;
  readonly name: string;
}

/** All inputs of a decision. Equal inputs always lead to the same decision. */
export interface EvaluationInput {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** The tool, prompt or resource of the message; `undefined` if it has none. */
  readonly subject: Subject | undefined;
  readonly params: JsonObject;
  /** Arguments of a tool or prompt; the params for other messages. */
  readonly arguments: JsonObject;
  /** ARN of the caller; `undefined` if it is not known. */
  readonly caller: string | undefined;
  /** ARN of the runtime or gateway. */
  readonly runtime: string;
  /** The listed tool or prompt; `undefined` if the server does not list it. */
  readonly tool: ToolFacts | undefined;
  /** Returns the current value of a counter of a document. */
  readonly count: (file: string, counter: Counter) => number;
  /** Returns the usage of runtime sessions in a window; `undefined` if it is not known. */
  readonly spent: (window: Window) => Spent | undefined;
  /**
   * Checks the arguments against the tool's own schema. Returns the mismatch as the end of a
   * sentence.
   */
  readonly schemaFault: (extent: 'schema' | 'required') => string | undefined;
}

/** Usage of runtime sessions in a window. */
export interface Spent {
  /** Upper bound of the cost in US dollars. Only AWS has the actual cost. */
  readonly usd: number;
  /** Number of sessions started. */
  readonly sessions: number;
}

/** The rule behind a decision, with its message for the agent. */
export interface RuleMatch {
  readonly file: string;
  /** JSON pointer of the rule. */
  readonly pointer: string;
  readonly message: string;
}

/** An amount to add to a counter. Denied if the sum exceeds `most`. */
export interface Reservation extends RuleMatch {
  readonly counter: Counter;
  readonly amount: number;
  readonly most: number | undefined;
  /** True if the sum must stay below `most`. */
  readonly isExclusive: boolean;
}

/** A required approval by a person. */
export interface ApprovalRequirement extends RuleMatch {
  /** Milliseconds until the question expires. */
  readonly timeout: number;
  /** Milliseconds after a decline. Meanwhile the same call is denied without a question. */
  readonly dedupe: number;
  readonly per: 'call' | 'session';
  /** Definition of the tool at the time of the decision. If it changes, the approval ends. */
  readonly definition: string | undefined;
}

/** A denial by a rule, or for a reason outside the documents. */
export interface Denial {
  readonly effect: 'deny';
  readonly match: RuleMatch;
}

/** The result of the rules for a message, before approvals and limits. */
export type Evaluation =
  | Denial
  | {
      readonly effect: 'allow';
      readonly approvals: readonly ApprovalRequirement[];
      readonly reservations: readonly Reservation[];
    };

/** A message to decide. */
export interface PolicyInput {
  readonly from: 'client' | 'server';
  readonly method: string;
  readonly params: JsonObject;
  /** Of a client request. Only its rules may depend on names, arguments and the server's lists. */
  readonly request?: {
    readonly message: JsonRpcRequest;
    readonly context: RequestContext;
    readonly server: Peer;
  };
  /** The approvals given so far. */
  readonly approved: readonly ApprovalRequirement[];
  /** The documents that required them. */
  readonly approvedFor?: readonly Policy[] | undefined;
}

/** The decision about a message. If it is `allow`, the message is counted. */
export type PolicyDecision =
  | Denial
  /** The subject of the message is ambiguous. `reason` is the end of a sentence. */
  | { readonly effect: 'invalid'; readonly reason: string }
  | {
      readonly effect: 'ask';
      readonly approvals: readonly [ApprovalRequirement, ...ApprovalRequirement[]];
      readonly policies: readonly Policy[];
    }
  | {
      readonly effect: 'allow';
      /** All required approvals. */
      readonly approvals: readonly ApprovalRequirement[];
      readonly receipt: Receipt;
      readonly policies: readonly Policy[];
    };

/** The counted amounts of a message. */
export interface Receipt {
  readonly added: readonly {
    readonly group: CounterGroup;
    readonly additions: readonly Addition[];
  }[];
}

/** Denies a message for a reason outside the documents. */
export function deny(message: string): Denial {
  return { effect: 'deny', match: { file: '', pointer: '', message } };
}

/** Joins two sentences. Adds a period if the first one has none. */
export function joinSentences(one: string, other: string): string {
  return `${one}${/[.!?\u3002]$/.test(one) ? '' : '.'} ${other}`;
}

/** The reason for a denial if documents change repeatedly while a message waits. */
export const UNSETTLED = 'The policy changed again and again while the message waited.';

/** Texts for effects in audit records. Effects of later versions are shown unchanged. */
const EFFECTS: Readonly<Record<string, string>> = {
  allow: 'allowed',
  deny: 'denied',
  ask: 'a person is asked',
  approved: 'approved by a person',
};

/** Formats an audit record as one line, without time and caller. */
export function formatDecision(record: AuditedRequest): string {
  const { from, method, name } = record;
  const asked = name === undefined ? method : `${method} ${name}`;
  return `${from === 'server' ? `the server’s ${asked}` : asked}: ${formatDecisionEffect(record)}`;
}

/** Formats the decision about a request, and its redactions. */
export function formatDecisionEffect({ decision, redactions }: AuditedRequest): string {
  const effect = decision && (EFFECTS[decision.effect] ?? decision.effect);
  const rule = decision?.rule === undefined ? '' : ` by ${decision.rule || 'the document'}`;
  const document = decision?.document === undefined ? '' : ` of ${basename(decision.document)}`;
  const hidden = Object.entries(redactions ?? {}).map(([kind, count]) => `${count} ${kind}`);
  const parts = [
    effect && `${effect}${rule}${document}`,
    hidden.length > 0 && `hidden: ${hidden.join(', ')}`,
  ];
  return parts.filter(Boolean).join('; ') || 'nothing was decided';
}
