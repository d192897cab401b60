import * as vscode from 'vscode';
import type { Environment } from '../environment.ts';
import { Settings } from './contributions.ts';
import { entryPath } from './runtimes/entry-path.ts';
import { workspaceFolder } from './workspace-folder.ts';

/** The environment of this window's programs: that of VS Code, and what the settings say of AWS. */
export function windowEnvironment(): Environment {
  return { ...process.env, ...awsFiles() };
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
