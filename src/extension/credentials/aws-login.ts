import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import type { WorkspaceCommand } from '../../base/exec.ts';
import { UserCancelledError } from '../servers/server-preparation.ts';
import { getWorkspaceAwsFiles } from '../window-environment.ts';

/**
 * Runs `aws login` for a profile in a terminal, because the AWS CLI owns this login. Callers detect
 * the completion by the login's file.
 *
 * @param confirm Prompts the user to allow a workspace command.
 * @returns `false` without any action if the profile is of another kind.
 * @throws {Cancelled} if the workspace sets the AWS files and the user denies them.
 */
export async function openAwsLogin(
  profile: string,
  env: Environment,
  confirm: (command: WorkspaceCommand) => Promise<boolean>,
): Promise<boolean> {
  const [{ getProfileKind: kindOf }, { readProfileFiles }, { quoteForShell: shellWord }] =
    await Promise.all([
      import('../../aws/credentials/profiles.ts'),
      import('../../aws/shared-config.ts'),
      import('../../aws/credentials/errors.ts'),
    ]);
  if (kindOf(profile, await readProfileFiles(env)) !== 'login') return false;
  const command = `aws login --profile ${shellWord(profile)}`;
  const files = await readWorkspaceFiles();
  if (files.length > 0) {
    const text = [command, ...files].join('\n\n');
    if (!(await confirm({ kind: 'awsLogin', text }))) throw new UserCancelledError();
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

/**
 * The AWS CLI runs programs that these files name, such as plugins and pagers. The files also set
 * the sign-in address.
 */
async function readWorkspaceFiles(): Promise<readonly string[]> {
  const { readSharedFile } = await import('../../aws/shared-config.ts');
  return Promise.all(
    getWorkspaceAwsFiles().map(async (path) => `# ${path}\n${(await readSharedFile(path)) ?? ''}`),
  );
}
