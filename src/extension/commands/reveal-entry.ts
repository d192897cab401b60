import * as vscode from 'vscode';
import { Settings } from '../contributions.ts';

const KEY = `agentcore.${Settings.runtimes}`;

/** Opens the settings file at the entry with this name, or at the list if `name` is absent. */
export async function revealEntry(name: string | undefined): Promise<void> {
  const told = vscode.workspace.getConfiguration().inspect<unknown>(KEY);
  // In a remote window, the machine settings are on the remote host.
  const ofUser =
    vscode.env.remoteName === undefined
      ? 'workbench.action.openSettingsJson'
      : 'workbench.action.openRemoteSettingsFile';
  const command =
    told?.workspaceValue === undefined ? ofUser : 'workbench.action.openWorkspaceSettingsFile';
  await vscode.commands.executeCommand(command, { revealSetting: { key: KEY } });
  const editor = vscode.window.activeTextEditor;
  if (!editor || !/\.(json|code-workspace)$/.test(editor.document.uri.path)) return;
  const at = findEntryOffset(editor.document.getText(), name);
  if (at === undefined) return;
  const position = editor.document.positionAt(at);
  editor.selection = new vscode.Selection(position, position);
  editor.revealRange(
    new vscode.Range(position, position),
    vscode.TextEditorRevealType.InCenterIfOutsideViewport,
  );
}

/** The offset of the entry's name in a settings file. Falls back to the start of the list. */
export function findEntryOffset(text: string, name: string | undefined): number | undefined {
  const list = text.indexOf(`"${KEY}"`);
  if (list < 0) return undefined;
  if (name === undefined) return list;
  const written = JSON.stringify(name).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const found = new RegExp(`"name"\\s*:\\s*${written}`).exec(text.slice(list));
  return list + (found?.index ?? 0);
}
