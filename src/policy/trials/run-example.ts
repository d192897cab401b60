import type { JsonObject } from '../../mcp/message.ts';
import type { Policy } from '../documents/policy.ts';
import type { Example } from './example-file.ts';
import { Trial, type TrialTool, toolIn } from './trial.ts';

/** What all examples of a file share. */
export interface TrialSetting {
  /** The tools that the server announces. */
  readonly tools?: readonly JsonObject[] | undefined;
  /** ARN of the runtime if an example names none. */
  readonly runtime?: string | undefined;
}

/** What is wrong about an example, as a sentence; `undefined` where the policy says what it expects. */
export async function mistakeOf(
  example: Example,
  policies: readonly Policy[],
  now: number,
  { tools, runtime = '' }: TrialSetting = {},
): Promise<string | undefined> {
  const trial = await new Trial(policies, () => now).prepare();
  const { method, params, times, expect, rule } = example;
  const facts = {
    from: example.from,
    caller: example.caller,
    runtime: example.runtime ?? runtime,
    tool: toolOf(example, toolIn(tools, params.name)),
  };
  for (let time = 1; time < times; time++) {
    const { effect, ruling } = trial.judge(method, params, facts);
    if (effect === 'allow') continue;
    return `time ${time} of ${times}: expected allow, got ${effect} by ${ruling?.pointer || 'no rule'}: ${ruling?.sentence}`;
  }
  const { effect, ruling } = trial.judge(method, params, facts);
  const by = ruling ? ` by ${ruling.pointer || 'no rule'}: ${ruling.sentence}` : '';
  if (effect !== expect) return `expected ${expect}, got ${effect}${by}`;
  if (rule !== undefined && ruling?.pointer !== rule) return `expected it by ${rule}, got it${by}`;
  return undefined;
}

/** What the example itself says of its tool goes before the list. */
function toolOf(
  { annotations, inputSchema }: Example,
  listed: TrialTool | undefined,
): TrialTool | undefined {
  if (annotations === undefined && inputSchema === undefined) return listed;
  const other = typeof listed === 'object' ? listed : undefined;
  return {
    annotations: annotations ?? other?.annotations,
    inputSchema: inputSchema ?? other?.inputSchema,
  };
}
