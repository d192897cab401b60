import type { Decision, Model, Observation, OfferedTool } from './model.ts';

interface Step {
  /** The tools that will do, by a part of the name. */
  readonly tool: RegExp;
  readonly args: (tool: OfferedTool, seen: readonly Observation[]) => Record<string, unknown>;
}

const CITY = 'Lisbon';

/** Look at the weather, keep it as a note, and have something written about it. */
const SCRIPT: readonly Step[] = [
  { tool: /weather/, args: () => ({ city: CITY }) },
  { tool: /remember/, args: (_, seen) => ({ note: seen.at(-1)?.result ?? CITY }) },
  { tool: /story|interview/, args: requiredTexts },
];

/** A model without a model: the same decisions and words each time, and no network. */
export class ScriptedModel implements Model {
  readonly name = 'scripted';

  async decide(
    task: string,
    tools: readonly OfferedTool[],
    seen: readonly Observation[],
  ): Promise<Decision> {
    const called = new Set(seen.map(({ tool }) => tool));
    for (const step of SCRIPT) {
      const fitting = tools.filter(({ name }) => step.tool.test(name));
      const [tool] = fitting;
      if (!tool || fitting.some(({ name }) => called.has(name))) continue;
      return { call: tool.name, args: step.args(tool, seen) };
    }
    const last = seen.at(-1);
    return {
      answer: last ? `${task}: ${last.result}` : 'None of the tools is of use for this task.',
    };
  }

  async complete(prompt: string, maxTokens: number): Promise<string> {
    const words = `Once upon a time, somebody asked "${prompt}", and all was well.`.split(' ');
    return words.slice(0, maxTokens).join(' ');
  }
}

/** Every required argument gets the city: whatever is written is written about that. */
function requiredTexts({ inputSchema }: OfferedTool): Record<string, unknown> {
  const { required = [] } = inputSchema as { required?: readonly string[] };
  return Object.fromEntries(required.map((name) => [name, CITY]));
}
