import type { JsonObject } from '../../mcp/message.ts';
import type { Policy } from '../documents/policy.ts';
import type { Example } from './example-file.ts';
import { findTool, PolicyTest, type TrialTool } from './trial.ts';

/** Settings for all examples of a file. */
interface TrialSetting {
  /** The tools that the server lists. */
  readonly tools?: readonly JsonObject[] | undefined;
  /** ARN of the runtime if an example has none. */
  readonly runtime?: string | undefined;
  /** Returns the ARN or URL by which policies name the server at an address. */
  readonly serverName: (address: string) => string;
}

/**
 * Runs an example. Returns the failure as a sentence, or `undefined` if the decision is as
 * expected.
 */
export async function runExample(
  example: Example,
  policies: readonly Policy[],
  now: number,
  { tools, runtime = '', serverName }: TrialSetting,
): Promise<string | undefined> {
  const trial = await new PolicyTest(policies, serverName, () => now).prepare();
  const { method, params, times, expect, rule } = example;
  const facts = {
    from: example.from,
    caller: example.caller,
    runtime: example.runtime ?? runtime,
    tool: resolveTool(example, findTool(tools, params.name)),
  };
  for (let time = 1; time < times; time++) {
    const { effect, ruling } = trial.judge(method, params, facts);
    if (effect === 'allow') continue;
    return `time ${time} of ${times}: expected allow, got ${effect} by ${ruling?.pointer || 'no rule'}: ${ruling?.message}`;
  }
  const { effect, ruling } = trial.judge(method, params, facts);
  const by = ruling ? ` by ${ruling.pointer || 'no rule'}: ${ruling.message}` : '';
  if (effect !== expect) return `expected ${expect}, got ${effect}${by}`;
  if (rule !== undefined && ruling?.pointer !== rule) return `expected it by ${rule}, got it${by}`;
  return undefined;
}

/** Data in the example takes precedence over the tool list. */
function resolveTool(
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
