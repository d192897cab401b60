import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { RuntimeStore } from '../../../src/extension/settings/runtime-store.ts';
import { workspace } from '../vscode-stub.ts';

const ARN = 'arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/weather-Ab12Cd34Ef';
const VIRTUAL = { uri: { scheme: 'vscode-vfs', fsPath: '/owner/repository' } };

afterEach(() => {
  workspace.settings = {};
  workspace.workspaceFolders = undefined;
});

it('resolves relative paths against the first folder on a disk, or the home directory', () => {
  workspace.settings = { 'agentcore.runtimes': [{ name: 'a', arn: ARN, policy: 'policy.yaml' }] };
  const policyIn = (...folders: (typeof VIRTUAL)[]) => {
    workspace.workspaceFolders = folders;
    const store = new RuntimeStore();
    store.dispose();
    return store.entries[0]?.policy;
  };
  const onDisk = { uri: { scheme: 'file', fsPath: join('/', 'work') } };
  expect(policyIn(VIRTUAL, onDisk)).toBe(join('/', 'work', 'policy.yaml'));
  expect(policyIn(VIRTUAL)).toBe(join(homedir(), 'policy.yaml'));
});

it('reports each change of its setting, and no other', () => {
  const store = new RuntimeStore();
  let changes = 0;
  store.onDidChange(() => {
    changes += 1;
  });
  workspace.configure({ 'agentcore.sessions.statusBar': false });
  expect(changes).toBe(0);
  workspace.configure({ 'agentcore.runtimes': [{ name: 'a', arn: ARN }] });
  expect(changes).toBe(1);
  expect(store.find('a')?.target.kind).toBe('runtime');
  store.dispose();
});
