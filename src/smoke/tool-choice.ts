import type { Tool } from '@modelcontextprotocol/client';
import { AgentCoreError } from '../error.ts';
import { createSampleObject } from './scripted-value.ts';

/** A tool that the user named, with optional arguments. */
export interface NamedTool {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>> | undefined;
}

/** A tool call to make. */
export interface ChosenCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** The server behavior that a call demonstrates. */
export type SampleBehavior = 'sample' | 'elicit' | 'progress';

/**
 * Default tools for each behavior, from this project's samples. Names are compared without case and
 * separators. The verb's help lists them.
 */
const KNOWN: Readonly<Record<SampleBehavior, readonly string[]>> = {
  sample: ['tellstory'],
  elicit: ['createprofile'],
  progress: ['countdown'],
};

/**
 * Chooses a call that demonstrates a behavior; `undefined` if the server has no known tool for it.
 *
 * @throws {AgentCoreError} `usage` if the named tool is not in the list.
 */
export function chooseToShow(
  what: SampleBehavior,
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return createSampleCall(find(tools, named.name), named.args);
  const known = tools.find((tool) => isHarmless(tool) && isAnyOf(tool.name, KNOWN[what]));
  return known && createSampleCall(known);
}

/**
 * Chooses a call of the named tool, else of a read-only tool without required arguments;
 * `undefined` if there is none.
 *
 * @throws {AgentCoreError} `usage` if the named tool is not in the list.
 */
export function chooseToCall(
  tools: readonly Tool[],
  named: NamedTool | undefined,
): ChosenCall | undefined {
  if (named) return createSampleCall(find(tools, named.name), named.args);
  const known = tools.filter(
    ({ annotations, inputSchema }) =>
      annotations?.readOnlyHint === true && !inputSchema.required?.length,
  );
  const plain = known.find(({ name }) => !isAnyOf(name, Object.values(KNOWN).flat()));
  const tool = plain ?? known[0];
  return tool && createSampleCall(tool);
}

function find(tools: readonly Tool[], name: string): Tool {
  const tool = tools.find((tool) => tool.name === name);
  if (tool) return tool;
  throw new AgentCoreError('usage', `The server has no tool "${name}"`);
}

function createSampleCall(tool: Tool, args?: Readonly<Record<string, unknown>>): ChosenCall {
  return {
    name: tool.name,
    args: { ...(args ?? createSampleObject(tool.inputSchema, 'required')) },
  };
}

/** Never call a tool with a destructive hint unless the user named it. */
function isHarmless({ annotations }: Tool): boolean {
  return annotations?.readOnlyHint === true || annotations?.destructiveHint !== true;
}

function isAnyOf(name: string, known: readonly string[]): boolean {
  return known.includes(name.toLowerCase().replace(/[^a-z0-9]/g, ''));
}
