import { isObject, type JsonObject } from '../../mcp/message.ts';
import type { Counter, SubjectKind } from '../documents/policy.ts';
import type { Window } from '../documents/windows.ts';

/** What a server says of a tool in `tools/list`, or of a prompt. */
export interface ToolFacts {
  readonly hints: Hints;
  readonly inputSchema: unknown;
  /** Equal as long as the server describes the tool in the same way; `undefined` if not known. */
  readonly definition?: string | undefined;
}

/** The effects of a tool by its annotations. */
export interface Hints {
  readonly writes: boolean;
  readonly destroys: boolean;
}

/** What a server does not say, MCP has one assume: that a tool writes, and destroys. */
export function hintsOf(annotations: unknown): Hints {
  const given = isObject(annotations) ? annotations : {};
  const writes = given.readOnlyHint !== true;
  return { writes, destroys: writes && given.destructiveHint !== false };
}

/** All that a decision depends on, so that the same facts are always decided the same way. */
export interface Facts {
  readonly from: 'client' | 'server';
  readonly method: string;
  /** What the message is about besides its method. */
  readonly subject: { readonly kind: SubjectKind; readonly name: string } | undefined;
  readonly params: JsonObject;
  /** Of a tool or a prompt; the params where a message has no arguments. */
  readonly arguments: JsonObject;
  /** ARN of the identity that calls; `undefined` where it is not known. */
  readonly caller: string | undefined;
  /** ARN of the runtime or gateway. */
  readonly runtime: string;
  /** `undefined` if the server does not announce such a tool or prompt. */
  readonly tool: ToolFacts | undefined;
  /** The present value of a counter. */
  readonly count: (file: string, counter: Counter) => number;
  /** What runtime sessions have come to in a window; `undefined` where nobody can tell. */
  readonly spent: (window: Window) => Spent | undefined;
  /** What is wrong with the arguments by the tool's own schema, as a sentence. */
  readonly schemaFault: (extent: 'schema' | 'required') => string | undefined;
}

export interface Spent {
  /** At the most, since nobody but AWS knows. */
  readonly usd: number;
  /** That have begun. */
  readonly sessions: number;
}

/** Which rule of which document decides, and what it says. */
export interface Ruling {
  readonly file: string;
  /** JSON pointer of the rule. */
  readonly pointer: string;
  readonly sentence: string;
}

/** An amount that a call adds to a counter, if that stays within `most`. */
export interface Reservation extends Ruling {
  readonly counter: Counter;
  readonly amount: number;
  readonly most: number | undefined;
  readonly isExclusive: boolean;
}

/** Something that a person has to agree to. */
export interface Ask extends Ruling {
  /** Milliseconds that the question stays open. */
  readonly timeout: number;
  /** Milliseconds for which nobody is asked again after a no to the same arguments. */
  readonly dedupe: number;
  readonly per: 'call' | 'session';
  /** Of the tool as the server announced it when the call was judged. */
  readonly definition: string | undefined;
}

export type Decision =
  | { readonly effect: 'deny'; readonly ruling: Ruling; readonly isHidden: boolean }
  | {
      readonly effect: 'allow';
      readonly asks: readonly Ask[];
      readonly reservations: readonly Reservation[];
    };
