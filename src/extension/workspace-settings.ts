import { isAbsolute } from 'node:path';
import * as vscode from 'vscode';
import { getWorkspaceFolder } from './workspace-folder.ts';

/**
 * Whether the workspace or one of its folders sets this setting below `agentcore.`. If so, its
 * author may not be the user.
 */
export function isWorkspaceSetting(setting: string): boolean {
  const value = vscode.workspace.getConfiguration('agentcore').inspect<unknown>(setting);
  return value?.workspaceValue !== undefined || value?.workspaceFolderValue !== undefined;
}

/**
 * Whether a path in the settings is relative to the workspace. The origin of the setting does not
 * matter.
 */
export function isWorkspacePath(path: string): boolean {
  const startsElsewhere = isAbsolute(path) || /^~[\\/]/.test(path);
  return !startsElsewhere && getWorkspaceFolder() !== undefined;
}
