import { isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import { workspaceFolder } from './workspace-folder.ts';

/**
 * Whether the value of a setting below `agentcore.` comes from the workspace or one of its folders,
 * so that its author need not be the user.
 */
export function isWorkspaceSetting(setting: string): boolean {
  const value = vscode.workspace.getConfiguration('agentcore').inspect<unknown>(setting);
  return value?.workspaceValue !== undefined || value?.workspaceFolderValue !== undefined;
}

/** Whether a path of the settings names a file of the workspace, whoever wrote the setting. */
export function isWorkspacePath(path: string): boolean {
  const startsElsewhere = isAbsolute(path) || /^~[\\/]/.test(path);
  return !startsElsewhere && workspaceFolder() !== undefined;
}
