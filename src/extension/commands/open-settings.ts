import * as vscode from 'vscode';

/**
 * Opens the settings editor with `query`. This extension has machine settings. In a remote window
 * they are in the remote settings, and a search in the user settings finds nothing.
 */
export async function openSettings(query: string): Promise<void> {
  const command =
    vscode.env.remoteName === undefined
      ? 'workbench.action.openSettings'
      : 'workbench.action.openRemoteSettings';
  await vscode.commands.executeCommand(command, { query });
}
