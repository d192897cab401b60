import { join } from 'node:path';
import * as vscode from 'vscode';
import { Animals } from './animals.ts';
import { orderLunch } from './lunch.ts';
import { showPage } from './page.ts';

/** Logs its actions in its output channel for the tests. */
export function activate({ extensionPath, subscriptions }: vscode.ExtensionContext): void {
  const output = vscode.window.createOutputChannel('Fixture');
  const say = (text: string) => output.appendLine(text);
  const status = vscode.window.createStatusBarItem('fixture.status');
  status.name = 'Fixture';
  status.text = '$(beaker) Lunch';
  status.tooltip = 'Order lunch';
  status.command = 'fixture.order';
  status.show();
  const command = (name: string, run: (...args: never[]) => unknown) =>
    vscode.commands.registerCommand(`fixture.${name}`, run);
  subscriptions.push(
    output,
    status,
    vscode.window.registerTreeDataProvider('fixture.animals', new Animals()),
    vscode.window.registerTreeDataProvider('fixture.nothing', {
      getChildren: () => [],
      getTreeItem: (item: vscode.TreeItem) => item,
    }),
    vscode.lm.registerMcpServerDefinitionProvider('fixture.servers', {
      provideMcpServerDefinitions: () => [server(extensionPath)],
    }),
    command('order', async () => say(`ordered: ${(await orderLunch()) ?? 'nothing'}`)),
    command('greet', async () => {
      const greeting = vscode.workspace.getConfiguration('fixture').get('greeting');
      const choice = await vscode.window.showInformationMessage(`${greeting}, world`, 'Wave');
      say(`greeted: ${choice ?? 'dismissed'}`);
    }),
    command('confirm', async () => {
      const options = { modal: true, detail: 'It cannot be undone.' };
      const choice = await vscode.window.showWarningMessage('Delete it?', options, 'Delete');
      say(`confirmed: ${choice ?? 'cancelled'}`);
    }),
    command('page', () => showPage(say)),
    command('feed', (animal: string) => say(`fed: ${animal}`)),
    command('rename', async (animal: string) => {
      const name = await vscode.window.showInputBox({
        prompt: `A new name for the ${animal}`,
        validateInput: (text) => (text === '' ? 'It needs a name' : undefined),
      });
      say(`renamed: ${animal} to ${name ?? 'nothing'}`);
    }),
  );
}

function server(extensionPath: string): vscode.McpStdioServerDefinition {
  const program = join(extensionPath, 'server.js');
  return new vscode.McpStdioServerDefinition(
    'Fixture Server',
    process.execPath,
    [program],
    {},
    '1',
  );
}
