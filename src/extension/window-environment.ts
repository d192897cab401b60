import * as vscode from 'vscode';
import { Settings } from './contributions.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this window's programs: that of VS Code, and what the settings say of AWS. */
export function windowEnvironment(): Environment {
  const configuration = vscode.workspace.getConfiguration('agentcore');
  const configFile = configuration.get<string>(Settings.awsConfigFile);
  const credentialsFile = configuration.get<string>(Settings.awsCredentialsFile);
  return {
    ...process.env,
    ...(configFile && { AWS_CONFIG_FILE: configFile }),
    ...(credentialsFile && { AWS_SHARED_CREDENTIALS_FILE: credentialsFile }),
  };
}
