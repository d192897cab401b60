import { beforeEach, describe, expect, it } from 'vitest';
import { AgentCoreError } from '../../../src/base/errors.ts';
import { showError } from '../../../src/extension/ui/errors.ts';
import { commands as stub, window } from '../vscode-stub.ts';

beforeEach(() => {
  window.said.length = 0;
  window.pressed = undefined;
  stub.run.length = 0;
  stub.handlers.clear();
});

describe('an error message', () => {
  it('is shown unchanged', async () => {
    await showError(new Error('The profile is not there: add it'));
    expect(window.said).toEqual(['The profile is not there: add it']);
  });

  it('that is too long is cut after a whole part, and the log contains all of it', async () => {
    const part = `${'a'.repeat(120)}, ${'b'.repeat(120)}`;
    await showError(new Error(`${part}: ${'c'.repeat(120)}`));
    expect(window.said).toEqual([`${part} …`]);
    window.said.length = 0;
    await showError(new Error('d'.repeat(1_000)));
    expect(window.said).toEqual([`${'d'.repeat(300)} …`]);
  });
});

describe('a session that could not be stopped because of a missing login', () => {
  const unstopped = [{ id: 'a' }];
  const failure = new AgentCoreError('upstream', 'expired', { data: { unstopped, login: 'work' } });
  const stop = ['agentcore.stopSession', undefined, [{ kind: 'session', entry: unstopped[0] }]];

  it('is stopped once the user has signed in', async () => {
    window.pressed = 'Sign In';
    stub.handlers.set('agentcore.signIn', () => new Date());
    await showError(failure);
    expect(stub.run).toEqual([['agentcore.signIn', { profile: 'work' }], stop]);
  });

  it('is not stopped if the user does not sign in', async () => {
    window.pressed = 'Sign In';
    await showError(failure);
    expect(stub.run).toEqual([['agentcore.signIn', { profile: 'work' }]]);
  });

  it('is stopped again if the user chooses to retry', async () => {
    window.pressed = 'Try Again';
    await showError(failure);
    expect(stub.run).toEqual([stop]);
  });
});
