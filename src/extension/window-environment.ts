import * as vscode from 'vscode';
import { CONFIRMED_PROCESSES } from '../confirmed-commands.ts';
import type { Environment } from '../environment.ts';
import { Settings } from './contributions.ts';
import { entryPath } from './runtimes/entry-path.ts';
import { workspaceFolder } from './workspace-folder.ts';
import { isWorkspacePath, isWorkspaceSetting } from './workspace-settings.ts';

/**
 * The environment of this window's programs: that of VS Code, and what the settings say of AWS.
 *
 * @param confirmed Digests of the commands of AWS files that may run if the workspace names the files.
 */
export function windowEnvironment(confirmed: readonly string[] = []): Environment {
  return {
    ...process.env,
    ...awsFiles(),
    ...(areOfWorkspace() && { [CONFIRMED_PROCESSES]: confirmed.join() || 'none' }),
  };
}

/** The variables by which programs find AWS files and run their commands. */
export const AWS_FILE_VARIABLES = [
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  CONFIRMED_PROCESSES,
] as const;

/** Identifies what an environment says of AWS files, for those that keep what they read. */
export function awsFilesKey(env: Environment): string {
  return JSON.stringify(AWS_FILE_VARIABLES.map((name) => env[name] ?? null));
}

function areOfWorkspace(): boolean {
  const configuration = vscode.workspace.getConfiguration('agentcore');
  return [Settings.awsConfigFile, Settings.awsCredentialsFile].some((setting) => {
    const value = configuration.get<unknown>(setting);
    if (typeof value !== 'string' || !value.trim()) return false;
    return isWorkspaceSetting(setting) || isWorkspacePath(value.trim());
  });
}

/** Where the AWS files are by the settings `agentcore.aws.*`; what is no text says nothing. */
export function awsFiles(): Readonly<Record<string, string>> {
  const configuration = vscode.workspace.getConfiguration('agentcore');
  const folder = workspaceFolder();
  const pathOf = (setting: string) => {
    const value = configuration.get<unknown>(setting);
    return typeof value === 'string' && value.trim() ? entryPath(value.trim(), folder) : undefined;
  };
  const config = pathOf(Settings.awsConfigFile);
  const credentials = pathOf(Settings.awsCredentialsFile);
  return {
    ...(config && { AWS_CONFIG_FILE: config }),
    ...(credentials && { AWS_SHARED_CREDENTIALS_FILE: credentials }),
  };
}
