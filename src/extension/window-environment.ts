import * as vscode from 'vscode';
import type { Environment } from '../base/environment.ts';
import { CONFIRMED_PROCESSES } from '../base/exec.ts';
import { Settings } from './contributions.ts';
import { resolveEntryPath } from './runtimes/entry-path.ts';
import { getWorkspaceFolder } from './workspace-folder.ts';
import { isWorkspacePath, isWorkspaceSetting } from './workspace-settings.ts';

/**
 * The environment for this window's programs: VS Code's own, plus the AWS file settings.
 *
 * @param confirmed Digests of the confirmed commands. Only these commands of AWS files may run if
 *   the workspace sets the file paths.
 */
export function getWindowEnvironment(confirmed: readonly string[] = []): Environment {
  return {
    ...process.env,
    ...getAwsFiles(),
    ...(getWorkspaceAwsFiles().length > 0 && { [CONFIRMED_PROCESSES]: confirmed.join() || 'none' }),
  };
}

/** The variables that locate the AWS files and permit their commands. */
export const AWS_FILE_VARIABLES = [
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
  CONFIRMED_PROCESSES,
] as const;

/** A cache key for data from the AWS files. */
export function getAwsFilesKey(env: Environment): string {
  return JSON.stringify(AWS_FILE_VARIABLES.map((name) => env[name] ?? null));
}

/** Paths of the AWS files inside the workspace or set by it. */
export function getWorkspaceAwsFiles(): readonly string[] {
  return [Settings.awsConfigFile, Settings.awsCredentialsFile].flatMap((setting) => {
    const path = readPathSetting(setting);
    return path && (isWorkspaceSetting(setting) || isWorkspacePath(path))
      ? [resolvePath(path)]
      : [];
  });
}

/** The AWS file paths from the settings `agentcore.aws.*`. Ignores other values than strings. */
export function getAwsFiles(): Readonly<Record<string, string>> {
  const config = readPathSetting(Settings.awsConfigFile);
  const credentials = readPathSetting(Settings.awsCredentialsFile);
  return {
    ...(config && { AWS_CONFIG_FILE: resolvePath(config) }),
    ...(credentials && { AWS_SHARED_CREDENTIALS_FILE: resolvePath(credentials) }),
  };
}

function readPathSetting(setting: string): string | undefined {
  const value = vscode.workspace.getConfiguration('agentcore').get<unknown>(setting);
  return typeof value === 'string' ? value.trim() || undefined : undefined;
}

function resolvePath(path: string): string {
  return resolveEntryPath(path, getWorkspaceFolder());
}
