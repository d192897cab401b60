import * as vscode from 'vscode';
import type { Environment } from '../../environment.ts';

/**
 * Signs in to a profile of `aws login` in a terminal: that login is the AWS CLI's own, and whoever
 * waits for it notices it by its file.
 *
 * @returns false where the profile is of another kind, and nothing was done.
 */
export async function openAwsLogin(profile: string, env: Environment): Promise<boolean> {
  const [{ kindOf }, { readProfileFiles }, { shellWord }] = await Promise.all([
    import('../../aws/credentials/profiles.ts'),
    import('../../aws/credentials/profile-files.ts'),
    import('../../aws/credentials/credentials-failure.ts'),
  ]);
  if (kindOf(profile, await readProfileFiles(env)) !== 'login') return false;
  const { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE } = env;
  const terminal = vscode.window.createTerminal({
    name: vscode.l10n.t('AWS login'),
    env: {
      ...(AWS_CONFIG_FILE && { AWS_CONFIG_FILE }),
      ...(AWS_SHARED_CREDENTIALS_FILE && { AWS_SHARED_CREDENTIALS_FILE }),
    },
  });
  terminal.show();
  terminal.sendText(`aws login --profile ${shellWord(profile)}`);
  return true;
}
