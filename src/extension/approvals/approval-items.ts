import * as vscode from 'vscode';
import { sanitizeForTerminal } from '../../base/format.ts';
import type { PendingApproval } from '../../state/files/approval-files.ts';

/** Internal command: opens the approval dialog for the call with the given id. */
export const REVIEW = '_agentcore.reviewApproval';

/** In characters. */
const MAX_NAME_LENGTH = 100;

/**
 * Formats a tool name for display. The agent chooses the name, so this removes the characters that
 * VS Code would render as a link.
 */
export function formatToolName(tool: string): string {
  return sanitizeForTerminal(tool.replace(/[[\]()]/g, ' ')).slice(0, MAX_NAME_LENGTH);
}

export function createApprovalsItem(all: readonly PendingApproval[]): vscode.TreeItem {
  const item = new vscode.TreeItem(
    vscode.l10n.t('Approvals'),
    vscode.TreeItemCollapsibleState.Expanded,
  );
  item.id = 'approvals';
  item.description = vscode.l10n.t('{0} waiting', all.length);
  item.accessibilityInformation = { label: vscode.l10n.t('Approvals: {0} waiting', all.length) };
  return item;
}

export function createApprovalItem({
  id,
  tool,
  text,
  until,
  mayLast,
}: PendingApproval): vscode.TreeItem {
  const name = formatToolName(tool);
  const item = new vscode.TreeItem(name);
  const seconds = Math.max(0, Math.round((Date.parse(until) - Date.now()) / 1000));
  item.id = id;
  item.description = vscode.l10n.t('waits for you, for {0} s', seconds);
  item.tooltip = text;
  item.iconPath = new vscode.ThemeIcon('question');
  item.contextValue = mayLast ? 'approval;session' : 'approval;once';
  item.command = { command: REVIEW, title: vscode.l10n.t('Review'), arguments: [id] };
  item.accessibilityInformation = {
    label: vscode.l10n.t('{0}, waits for your approval for {1} s', name, seconds),
  };
  return item;
}
