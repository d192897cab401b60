import type { Tool } from '@modelcontextprotocol/client';
import { AgentCoreError } from '../error.ts';
import { scriptedObject } from './scripted-value.ts';

/** A tool that was asked for, with its arguments where they were given too. */
export interface NamedTool {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

/** A tool call to make. */
export interface ChosenCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** What a call is made to show. */
export type Shown = 'sample' | 'elicit' | 'progress';

/**
 * The tools that are known to show something, for where none was named: those of this project's
 * samples. Case and separators do not count. The verb's help lists them.
 */
const KNOWN: Readonly<Record<Shown, readonly string[]>> = {
  sample: ['tellstory'],
  elicit: ['createprofile'],
  progress: ['countdown'],
};

/**
 * The call that shows something, or `undefined` where the server has no tool that is known for it.
 *
 * @throws {AgentCoreError} `usage` where the named tool is not in the list.
 */
export function chooseToShow(
  what: Shown,
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return callOf(find(tools, named.name), named.args);
  const known = tools.find((tool) => isHarmless(tool) && isOneOf(tool.name, KNOWN[what]));
  return known && callOf(known);
}

/**
 * The call of the named tool, else of a tool that only reads and requires no argument, or
 * `undefined` where there is none.
 *
 * @throws {AgentCoreError} `usage` where the named tool is not in the list.
 */
export function chooseToCall(
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return callOf(find(tools, named.name), named.args);
  const known = tools.filter(
    ({ annotations, inputSchema }) =>
      annotations?.readOnlyHint === true && !inputSchema.required?.length,
  );
  const plain = known.find(({ name }) => !isOneOf(name, Object.values(KNOWN).flat()));
  const tool = plain ?? known[0];
  return tool && callOf(tool);
}

function find(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((tool) => tool.name === name);
  if (tool) return tool;
  throw new AgentCoreError('usage', `The server has no tool "${name}"`);
}

function callOf(tool: Tool, args?: Readonly<Record<string, unknown>>): ChosenCall {
  return { name: tool.name, args: { ...(args ?? scriptedObject(tool.inputSchema, 'required')) } };
}

/** A tool that says of itself that it destroys is never called unasked. */
function isHarmless({ annotations }: Tool): boolean {
  return annotations?.readOnlyHint === true || annotations?.destructiveHint !== true;
}

function isOneOf(name: string, known: readonly string[]): boolean {
  return known.includes(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}
