import * as vscode from 'vscode';

/**
 * Opens the settings that are found by `query`. Ours are of the machine: a remote window has them
 * among those of the other machine, and finds nothing among the user's.
 */
export async function openSettings(query: string): Promise<void> {
  const command =
    vscode.env.remoteName === undefined
      ? 'workbench.action.openSettings'
      : 'workbench.action.openRemoteSettings';
  await vscode.commands.executeCommand(command, { query });
}
