import * as vscode from 'vscode';
import type { GivenAnswer, PendingApproval } from '../../state/files/approval-files.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands } from '../contributions.ts';
import type { SessionNode } from '../sessions/session-node.ts';
import { formatToolName, REVIEW } from './approval-items.ts';
import type { ApprovalsModel } from './approvals-watch.ts';

/** Notifies the user of calls that need approval and handles the answers. */
export function registerApprovals(
  commands: CommandRegistry,
  approvals: ApprovalsModel,
): vscode.Disposable {
  const answer = async (pending: PendingApproval, given: GivenAnswer) => {
    if (await approvals.answer(pending, given)) return;
    throw new Error(
      vscode.l10n.t('The call of {0} does not wait any more', formatToolName(pending.tool)),
    );
  };
  const answers: readonly [Parameters<CommandRegistry['register']>[0], GivenAnswer][] = [
    [Commands.approveOnce, 'once'],
    [Commands.approveForSession, 'session'],
    [Commands.denyCall, 'deny'],
  ];
  for (const [id, given] of answers) {
    commands.register(id, async (node?: SessionNode) => {
      if (node?.kind === 'approval') await answer(node.pending, given);
    });
  }
  commands.register(REVIEW, (id: string) => {
    const pending = approvals.pending.find((one) => one.id === id);
    return pending && review(pending, answer);
  });

  const told = new Set<string>();
  return approvals.onDidChange((all) => {
    for (const pending of all) {
      if (!told.has(pending.id)) void showPendingApproval(pending);
    }
    told.clear();
    for (const { id } of all) told.add(id);
  });
}

async function showPendingApproval({ id, tool }: PendingApproval): Promise<void> {
  const button = vscode.l10n.t('Review');
  const sentence = vscode.l10n.t(
    'An agent wants to call {0}, and waits for your approval',
    formatToolName(tool),
  );
  if ((await vscode.window.showWarningMessage(sentence, button)) === button) {
    await vscode.commands.executeCommand(REVIEW, id);
  }
}

/** If the user closes the dialog, the call keeps waiting. */
async function review(
  pending: PendingApproval,
  answer: (pending: PendingApproval, given: GivenAnswer) => Promise<void>,
): Promise<void> {
  const choices: readonly { readonly title: string; readonly given: GivenAnswer }[] = [
    { title: vscode.l10n.t('Approve Once'), given: 'once' },
    ...(pending.mayLast
      ? [{ title: vscode.l10n.t('Approve for Session'), given: 'session' as const }]
      : []),
    { title: vscode.l10n.t('Deny'), given: 'deny' },
  ];
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Approve this call of {0}?', formatToolName(pending.tool)),
    { modal: true, detail: pending.text },
    ...choices,
  );
  if (chosen) await answer(pending, chosen.given);
}
