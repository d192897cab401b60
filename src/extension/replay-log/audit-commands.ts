import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import type { AuditReport } from '../../state/audit/verify.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands } from '../contributions.ts';

export function registerAuditCommands(commands: CommandRegistry, env: () => Environment): void {
  commands.register(Commands.verifyAudit, async () => {
    const state = getStateDirectory(env());
    const report = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t('Verifying audit') },
      async () => {
        const { verifyAudit } = await import('../../state/audit/verify.ts');
        return verifyAudit(state);
      },
    );
    // Not awaited: the command returns before the user closes the message.
    void showAuditReport(report);
  });
}

async function showAuditReport(report: AuditReport): Promise<void> {
  const { files, records, problems } = report;
  if (problems.length > 0) {
    const show = vscode.l10n.t('Show Details');
    const sentence = vscode.l10n.t(
      'The audit is not as it was written ({0} problems): {1}',
      problems.length,
      problems[0] ?? '',
    );
    if ((await vscode.window.showWarningMessage(sentence, show)) === show) await open(report);
  } else if (files === 0) {
    const nothing = vscode.l10n.t('The audit has no records yet: it begins with the first policy');
    await vscode.window.showInformationMessage(nothing);
  } else {
    // With a copy of these hashes, the user can later detect records missing at the end.
    const copy = vscode.l10n.t('Copy Last Hashes');
    const sentence =
      files === 1
        ? vscode.l10n.t('The audit is as it was written: {0} records in 1 file', records)
        : vscode.l10n.t('The audit is as it was written: {0} records in {1} files', records, files);
    if ((await vscode.window.showInformationMessage(sentence, copy)) !== copy) return;
    await vscode.env.clipboard.writeText(formatChainEnds(report));
  }
}

async function open(report: AuditReport): Promise<void> {
  const content = `${report.problems.join('\n')}\n\n${formatChainEnds(report)}`;
  const document = await vscode.workspace.openTextDocument({ language: 'plaintext', content });
  await vscode.window.showTextDocument(document, { preview: true });
}

/** The last hash of each file, in the format of `agentcore-mcp audit verify`. */
function formatChainEnds({ ends }: AuditReport): string {
  return ends.map(({ file, hash }) => `${file} ends with ${hash}\n`).join('');
}
