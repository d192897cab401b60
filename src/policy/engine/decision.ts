import { basename } from 'node:path';
import type { JsonObject } from '../../mcp/message.ts';
import type { SubjectKind } from '../../mcp/protocol.ts';
import type { ToolFacts } from '../../relay/tool-catalog.ts';
import type { AuditedRequest } from '../../state/audit/records.ts';
import type { Counter } from '../documents/model.ts';
import type { Window } from '../documents/windows.ts';

/** Details for the person besides the request. */
export type ApprovalDetails = Pick<ApprovalQuestion, 'runtime' | 'caller' | 'spent'>;

/** A call or other request that needs a person's approval. */
export interface ApprovalQuestion {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** The tool or other item of the request, or the method if there is none. */
  readonly tool: string;
  /** The JSON text of the arguments as sent, or of all params if there are none. */
  readonly arguments: string;
  readonly runtime: string;
  readonly caller: string | undefined;
  /** Today's session usage; `undefined` if it cannot be determined. */
  readonly spent: Spent | undefined;
  readonly asks: readonly ApprovalRequirement[];
  /** True if an answer can apply to the rest of the session. */
  readonly mayLast: boolean;
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

/** Texts for decisions. Unknown effects of later versions are shown unchanged. */
const EFFECTS: Readonly<Record<string, string>> = {
  allow: 'allowed',
  deny: 'denied',
  ask: 'a person is asked',
  approved: 'approved by a person',
};

/** Formats an audit record as one line for people, without time and caller. */
export function formatDecision(record: AuditedRequest): string {
  const { from, method, name } = record;
  const asked = name === undefined ? method : `${method} ${name}`;
  return `${from === 'server' ? `the server’s ${asked}` : asked}: ${formatDecisionEffect(record)}`;
}

/** The decision about a request, and its redactions. */
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
