import { strict as assert } from 'node:assert';
import { suite, suiteSetup, teardown, test } from 'mocha';
import * as vscode from 'vscode';
import { Commands, Settings, Views } from '../../../src/extension/settings/contributions.ts';

const SECTION = 'agentcore';

suite('The extension in VS Code', () => {
  let extension: vscode.Extension<unknown>;

  suiteSetup(async () => {
    const found = vscode.extensions.getExtension('agentcore-mcp.agentcore-mcp');
    assert.ok(found, 'VS Code does not know the extension');
    extension = found;
    // VS Code rejects a provider that is not in the manifest, and then the activation fails.
    await extension.activate();
  });

  teardown(async () => {
    await write(undefined);
  });

  test('is active', () => {
    assert.equal(extension.isActive, true);
  });

  test('has every command that it shows', async () => {
    const known = new Set(await vscode.commands.getCommands(true));
    const missing = Object.values(Commands).filter((id) => !known.has(id));
    assert.deepEqual(missing, []);
  });

  test('has settings with defaults', () => {
    const configuration = vscode.workspace.getConfiguration(SECTION);
    for (const name of Object.values(Settings)) {
      assert.notEqual(configuration.inspect(name)?.defaultValue, undefined, name);
    }
  });

  test('opens every view', async () => {
    for (const view of Object.values(Views)) {
      await vscode.commands.executeCommand(`${view}.focus`);
    }
  });

  test('tolerates wrong settings, and settings that change later', async () => {
    await write([{ name: 'broken' }, 'nonsense', { name: 'twice' }, { name: 'twice' }]);
    await write([{ name: 'sample', local: {} }]);
    assert.equal(extension.isActive, true);
    await vscode.commands.executeCommand(Commands.copyDiagnostics);
    assert.match(await vscode.env.clipboard.readText(), /Runtimes: 1\n- sample, local/);
  });
});

async function write(runtimes: unknown): Promise<void> {
  await vscode.workspace
    .getConfiguration(SECTION)
    .update(Settings.runtimes, runtimes, vscode.ConfigurationTarget.Global);
}
