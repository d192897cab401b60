import { describe, expect, it } from 'vitest';
import { resolveCommandTarget } from '../../../src/extension/commands/command-target.ts';
import { readEntry } from '../../../src/extension/settings/runtime-entry.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const entry = readEntry({ name: 'weather', arn: ARN, profile: 'work', qualifier: 'prod' });
const store = { find: (name: string) => (name === 'weather' ? entry : undefined) } as never;

describe('the target of a command', () => {
  it('is an entry, from a tree item or by its name', () => {
    const expected = { entry, arn: ARN, profile: 'work', qualifier: 'prod' };
    expect(resolveCommandTarget({ kind: 'configured', entry }, store)).toMatchObject(expected);
    expect(resolveCommandTarget({ name: 'weather' }, store)).toMatchObject(expected);
  });

  it('is a discovered runtime, with the profile that discovered it', () => {
    const target = { kind: 'runtime', arn: ARN, name: 'weather' };
    expect(
      resolveCommandTarget({ kind: 'discovered', target, place: { profile: 'other' } }, store),
    ).toEqual({
      entry: undefined,
      arn: ARN,
      found: target,
      profile: 'other',
      qualifier: undefined,
    });
  });

  it('is the runtime of a session, or the ARN of an identity', () => {
    const session = { kind: 'session', entry: { id: 's', runtime: ARN, qualifier: 'beta' } };
    expect(resolveCommandTarget(session, store)).toMatchObject({ arn: ARN, qualifier: 'beta' });
    const arn = 'arn:aws:iam::123456789012:user/ada';
    expect(resolveCommandTarget({ kind: 'identity', arn }, store)).toMatchObject({ arn });
  });

  it('is undefined for a call from the Command Palette', () => {
    expect(resolveCommandTarget(undefined, store)).toMatchObject({
      arn: undefined,
      entry: undefined,
    });
  });
});
