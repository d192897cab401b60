import type { JsonObject } from '../../mcp/message.ts';
import type { ApprovalRequirement, Spent } from '../decisions/facts.ts';

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

export type Answer =
  | { readonly agreed: 'once' | 'session' }
  /** The reason for the denial, as a sentence. */
  | { readonly refused: string };

/** Maximum characters of arguments to show; a person does not read more. */
const MAX_SHOWN_LENGTH = 4_000;

/** The text of the question. Shows invisible and bidirectional control characters as escapes. */
export function formatQuestion(question: ApprovalQuestion): string {
  const { arguments: args, runtime, caller, asks } = question;
  const shown = escapeInvisible(args);
  const more = shown.length - MAX_SHOWN_LENGTH;
  return [
    describeRequestedCall(question),
    `Why you are asked: ${asks.map(({ message }) => message).join(' ')}`,
    `Server: ${runtime}`,
    `As: ${caller ?? 'the identity of this profile'}`,
    `Cost: the session it runs in is billed by AgentCore while it is in use.${formatSpending(question)}`,
    `Arguments: ${shown.slice(0, MAX_SHOWN_LENGTH)}${more > 0 ? ` … and ${more} characters more, not shown` : ''}`,
  ].join('\n');
}

function formatSpending({ spent }: ApprovalQuestion): string {
  if (!spent) return '';
  return ` Your sessions of today may have cost $${spent.usd.toFixed(2)} so far.`;
}

function describeRequestedCall({ from, method, tool }: ApprovalQuestion): string {
  const named = escapeInvisible(JSON.stringify(tool));
  if (from === 'server') return `The server asks the client for ${escapeInvisible(method)}.`;
  if (method === 'tools/call') return `An agent wants to call the tool ${named}.`;
  return `An agent asks for ${escapeInvisible(method)}${tool === method ? '' : ` of ${named}`}.`;
}

/** The form schema for MCP elicitation. */
export function createQuestionSchema({ mayLast }: ApprovalQuestion): JsonObject {
  const choices = mayLast ? ['once', 'session'] : ['once'];
  return {
    type: 'object',
    properties: {
      allow: {
        type: 'string',
        title: 'Allow',
        description: mayLast ? 'This call, or this tool until the session ends' : 'This call',
        enum: choices,
        default: 'once',
      },
    },
    required: ['allow'],
  };
}

/** Parses the result of an elicitation. Only a clear yes counts as approval. */
export function readAnswer(result: unknown, { mayLast }: ApprovalQuestion): Answer {
  const { action, content } = (result ?? {}) as { action?: unknown; content?: unknown };
  if (action !== 'accept') return { refused: 'The person who was asked did not agree.' };
  const allow = (content as { allow?: unknown } | null | undefined)?.allow;
  if (allow === 'once') return { agreed: 'once' };
  if (allow === 'session' && mayLast) return { agreed: 'session' };
  return { refused: 'The answer of the person who was asked does not say what is allowed.' };
}

/** Maximum timer delay in milliseconds, about 25 days. A longer delay fires at once. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/** The shortest timeout of the rules involved, in milliseconds. */
export function getApprovalTimeoutMs({ asks }: Pick<ApprovalQuestion, 'asks'>): number {
  return Math.min(MAX_WAIT_MS, ...asks.map(({ timeout }) => timeout));
}

function escapeInvisible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
