import * as vscode from 'vscode';

/**
 * The path of the workspace's first folder, where relative paths of settings start; undefined where
 * none is open, or all of them are on no disk that a program could read.
 */
export function workspaceFolder(): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.find(({ uri }) => uri.scheme === 'file')?.uri.fsPath;
}
