import * as vscode from 'vscode';

/**
 * The path of the first workspace folder on disk, the base of relative paths in settings.
 * `undefined` if no folder is open or all folders are virtual.
 */
export function getWorkspaceFolder(): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.find(({ uri }) => uri.scheme === 'file')?.uri.fsPath;
}
