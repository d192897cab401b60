import * as vscode from 'vscode';
import { CONFIRMED_PROCESSES } from '../confirmed-commands.ts';
import type { Environment } from '../environment.ts';
import { Settings } from './contributions.ts';
import { entryPath } from './runtimes/entry-path.ts';
import { workspaceFolder } from './workspace-folder.ts';
import { isWorkspacePath, isWorkspaceSetting } from './workspace-settings.ts';

/**
 * The environment for this window's programs: VS Code's own, plus the AWS file settings.
 *
 * @param confirmed Digests of the confirmed commands. Only these commands of AWS files may run if
 *   the workspace sets the file paths.
 */
export function windowEnvironment(confirmed: readonly string[] = []): Environment {
  return {
    ...process.env,
    ...awsFiles(),
    ...(workspaceAwsFiles().length > 0 && { [CONFIRMED_PROCESSES]: confirmed.join() || 'none' }),
  };
}

/** The variables that locate the AWS files and permit their commands. */
export const AWS_FILE_VARIABLES = [
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  CONFIRMED_PROCESSES,
] as const;

/** A cache key for data from the AWS files. */
export function awsFilesKey(env: Environment): string {
  return JSON.stringify(AWS_FILE_VARIABLES.map((name) => env[name] ?? null));
}

/** Paths of the AWS files inside the workspace or set by it. */
export function workspaceAwsFiles(): readonly string[] {
  return [Settings.awsConfigFile, Settings.awsCredentialsFile].flatMap((setting) => {
    const path = pathOf(setting);
    return path && (isWorkspaceSetting(setting) || isWorkspacePath(path)) ? [resolved(path)] : [];
  });
}

/** The AWS file paths from the settings `agentcore.aws.*`. Ignores other values than strings. */
export function awsFiles(): Readonly<Record<string, string>> {
  const config = pathOf(Settings.awsConfigFile);
  const credentials = pathOf(Settings.awsCredentialsFile);
  return {
    ...(config && { AWS_CONFIG_FILE: resolved(config) }),
    ...(credentials && { AWS_SHARED_CREDENTIALS_FILE: resolved(credentials) }),
  };
}

function pathOf(setting: string): string | undefined {
  const value = vscode.workspace.getConfiguration('agentcore').get<unknown>(setting);
  return typeof value === 'string' ? value.trim() || undefined : undefined;
}

function resolved(path: string): string {
  return entryPath(path, workspaceFolder());
}
