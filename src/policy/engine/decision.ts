import { basename } from 'node:path';
import type { JsonObject } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import type { ToolFacts } from '../../relay/tool-catalog.ts';
import type { AuditedRequest } from '../../state/audit/audit-log.ts';
import type { Counter } from '../documents/model.ts';
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
  readonly asks: readonly ApprovalRequirement[];
  /** True if an approval may apply to the rest of the session. */
  readonly mayLast: boolean;
}

/** All inputs of a decision. Equal inputs always lead to the same decision. */
export interface EvaluationInput {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** The tool, prompt or resource of the message; `undefined` if it has none. */
  readonly subject: { readonly kind: SubjectKind; readonly name: string } | undefined;
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

/** The decision about a message, before approvals and limits. */
export type Decision =
  | { readonly effect: 'deny'; readonly ruling: RuleMatch; readonly isHidden: boolean }
  | {
      readonly effect: 'allow';
      readonly asks: readonly ApprovalRequirement[];
      readonly reservations: readonly Reservation[];
    };

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
  const said = [
    effect && `${effect}${rule}${document}`,
    hidden.length > 0 && `hidden: ${hidden.join(', ')}`,
  ];
  return said.filter(Boolean).join('; ') || 'nothing was decided';
}
