import { describe, expect, it } from 'vitest';
import {
  BACK,
  type Back,
  type FlowStep,
  runWizard,
  type StepPosition,
} from '../../../src/extension/ui/wizard.ts';

type Draft = Readonly<Record<string, string | undefined>>;

/** A step that takes its answers from a list, and records its position. */
function step(
  name: string,
  answers: (string | Back)[],
  seen: [string, StepPosition, Draft][],
  applies?: (draft: Draft) => boolean,
): FlowStep<Draft> {
  return {
    applies,
    async ask(draft, position) {
      seen.push([name, position, draft]);
      const answer = answers.shift() as string | Back;
      return answer === BACK ? BACK : { ...draft, [name]: answer };
    },
  };
}

describe('the wizard steps', () => {
  it('run in order, with step numbers', async () => {
    const seen: [string, StepPosition, Draft][] = [];
    const draft = await runWizard([step('a', ['1'], seen), step('b', ['2'], seen)], {});
    expect(draft).toEqual({ a: '1', b: '2' });
    expect(seen.map(([name, position]) => [name, position])).toEqual([
      ['a', { step: 1, total: 2, canGoBack: false }],
      ['b', { step: 2, total: 2, canGoBack: true }],
    ]);
  });

  it('go back to the previous step, and keep later answers', async () => {
    const seen: [string, StepPosition, Draft][] = [];
    const steps = [
      step('a', ['1', '1 again'], seen),
      step('b', ['2', '2'], seen),
      step('c', [BACK, '3'], seen),
    ];
    steps[1] = step('b', ['2', BACK, '2 again'], seen);
    expect(await runWizard(steps, {})).toEqual({ a: '1 again', b: '2 again', c: '3' });
    expect(seen.map(([name]) => name)).toEqual(['a', 'b', 'c', 'b', 'a', 'b', 'c']);
    expect(seen[4]?.[2]).toEqual({ a: '1', b: '2' });
  });

  it('skip steps that an answer makes unnecessary, in both directions', async () => {
    const seen: [string, StepPosition, Draft][] = [];
    const steps = [
      step('kind', ['iam', 'jwt'], seen),
      step('secret', ['s'], seen, ({ kind }) => kind === 'jwt'),
      step('name', [BACK, 'n'], seen),
    ];
    expect(await runWizard(steps, {})).toEqual({ kind: 'jwt', secret: 's', name: 'n' });
    expect(seen.map(([name, { step: at, total }]) => [name, at, total])).toEqual([
      ['kind', 1, 2],
      ['name', 2, 2],
      ['kind', 1, 2],
      ['secret', 2, 3],
      ['name', 3, 3],
    ]);
  });

  it('stay at the first step on Back', async () => {
    const seen: [string, StepPosition, Draft][] = [];
    expect(await runWizard([step('a', [BACK, '1'], seen)], {})).toEqual({ a: '1' });
  });

  it('fail with the error of a step', async () => {
    const cancel: FlowStep<Draft> = { ask: () => Promise.reject(new Error('Escape')) };
    await expect(runWizard([cancel], {})).rejects.toThrow('Escape');
  });
});
