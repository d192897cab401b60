import * as vscode from 'vscode';
import type { WorkspaceCommand } from '../../confirmed-commands.ts';
import type { Environment } from '../../environment.ts';
import { Cancelled } from '../servers/server-preparation.ts';
import { workspaceAwsFiles } from '../window-environment.ts';

/**
 * Signs in to a profile of `aws login` in a terminal: that login is the AWS CLI's own, and whoever
 * waits for it notices it by its file.
 *
 * @param confirm Asks a person whether a command of the workspace may run.
 * @returns false where the profile is of another kind, and nothing was done.
 * @throws {Cancelled} if the workspace names the AWS files and the person refuses them.
 */
export async function openAwsLogin(
  profile: string,
  env: Environment,
  confirm: (command: WorkspaceCommand) => Promise<boolean>,
): Promise<boolean> {
  const [{ kindOf }, { readProfileFiles }, { shellWord }] = await Promise.all([
    import('../../aws/credentials/profiles.ts'),
    import('../../aws/credentials/profile-files.ts'),
    import('../../aws/credentials/credentials-failure.ts'),
  ]);
  if (kindOf(profile, await readProfileFiles(env)) !== 'login') return false;
  const command = `aws login --profile ${shellWord(profile)}`;
  const files = await readWorkspaceFiles();
  if (files.length > 0) {
    const text = [command, ...files].join('\n\n');
    if (!(await confirm({ kind: 'awsLogin', text }))) throw new Cancelled();
  }
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = env;
  const terminal = vscode.window.createTerminal({
    name: vscode.l10n.t('AWS login'),
    env: {
      ...(AWS_CONFIG_FILE && { AWS_CONFIG_FILE }),
      ...(AWS_SHARED_CREDENTIALS_FILE && { AWS_SHARED_CREDENTIALS_FILE }),
    },
  });
  terminal.show();
  terminal.sendText(command);
  return true;
}

/** The AWS CLI runs what these files name: plugins, pagers, and the address of the sign-in. */
async function readWorkspaceFiles(): Promise<readonly string[]> {
  const { readSharedFile } = await import('../../aws/credentials/profile-files.ts');
  return Promise.all(
    workspaceAwsFiles().map(async (path) => `# ${path}\n${(await readSharedFile(path)) ?? ''}`),
  );
}
