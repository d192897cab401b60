import type { Policy } from '../documents/policy.ts';
import type { Example } from './example-file.ts';
import { Trial } from './trial.ts';

/** What is wrong about an example, as a sentence; `undefined` where the policy says what it expects. */
export async function mistakeOf(
  example: Example,
  policies: readonly Policy[],
  now: number,
): Promise<string | undefined> {
  const trial = await new Trial(policies, () => now).prepare();
  const { method, params, times, expect, rule } = example;
  const facts = { ...example, runtime: example.runtime ?? '' };
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
