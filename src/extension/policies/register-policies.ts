import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { AgentCoreError, getErrorMessage } from '../../base/errors.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands } from '../contributions.ts';
import type { LogChannel } from '../log-channel.ts';
import type { RuntimeEntry } from '../runtimes/runtime-entry.ts';
import { PolicyDiagnostics } from './policy-diagnostics.ts';
import { isPolicyFile } from './policy-files.ts';

/** Registers the check of policy documents, by command and on save. */
export function registerPolicies(
  context: vscode.ExtensionContext,
  parts: {
    readonly commands: CommandRegistry;
    readonly store: { readonly entries: readonly RuntimeEntry[] };
    readonly env: () => Environment;
    readonly log: LogChannel;
  },
): void {
  const { commands, store, env, log } = parts;
  const diagnostics = new PolicyDiagnostics({
    isPolicy: ({ uri }) => uri.scheme === 'file' && isPolicyFile(uri.fsPath, store.entries, env()),
    onFailure: (thrown) => log.error(`The check of a policy: ${getErrorMessage(thrown)}`),
  });
  context.subscriptions.push(diagnostics);
  commands.register(Commands.checkPolicy, async () => {
    const document = vscode.window.activeTextEditor?.document;
    if (!document) {
      throw new AgentCoreError('usage', vscode.l10n.t('Open the policy document to check first'));
    }
    const [first, ...others] = await diagnostics.check(document);
    const name = vscode.workspace.asRelativePath(document.uri);
    // Not awaited: the command returns before the user closes the message.
    if (!first) {
      void vscode.window.showInformationMessage(vscode.l10n.t('{0} is a valid policy', name));
    } else {
      void showProblemWarning(
        others.length === 0
          ? vscode.l10n.t('{0} is no valid policy: {1}', name, first.message)
          : vscode.l10n.t(
              '{0} is no valid policy, with {1} problems. The first: {2}',
              name,
              others.length + 1,
              first.message,
            ),
      );
    }
  });
}

async function showProblemWarning(sentence: string): Promise<void> {
  const show = vscode.l10n.t('Show Problems');
  if ((await vscode.window.showWarningMessage(sentence, show)) === show) {
    await vscode.commands.executeCommand('workbench.actions.view.problems');
  }
}
