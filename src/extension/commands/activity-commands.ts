import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { type Environment, getStateDirectory } from '../../base/environment.ts';
import { getRecordIds } from '../../sessions/session-info.ts';
import type { AuditReport } from '../../state/audit/reader.ts';
import { EVERYTHING, LOG_KINDS, type LogEntry, type LogKind } from '../models/activity-model.ts';
import type { SessionNode } from '../models/tree-nodes.ts';
import { Commands, Views } from '../settings/contributions.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { type ActivityView, formatEntry, RecordDocuments } from '../views/activity-view.ts';

/** Maximum number of records in an export. */
const MAX_EXPORTED = 100_000;

/**
 * Registers the commands of the Replay Log view.
 *
 * @returns the provider of the record documents.
 */
export function registerReplayLogCommands(
  commands: CommandRegistry,
  log: ActivityView,
): vscode.Disposable {
  const documents = new RecordDocuments();

  /** On a session, filters the view by its records. */
  commands.register(Commands.showReplayLog, async (node?: SessionNode) => {
    if (node?.kind === 'session') {
      log.filter = { ...EVERYTHING, sessions: new Set(getRecordIds(node.entry)) };
    }
    await vscode.commands.executeCommand(`${Views.replayLog}.focus`);
  });

  commands.register(Commands.filterReplayLog, async () => {
    const words: Readonly<Record<LogKind, string>> = {
      replays: vscode.l10n.t('Replays'),
      errors: vscode.l10n.t('Errors'),
      calls: vscode.l10n.t('Calls'),
      decisions: vscode.l10n.t('Decisions of policies'),
      sessions: vscode.l10n.t('Sessions and programs'),
    };
    const { kinds: shown, sessions } = log.filter;
    const ofKinds = LOG_KINDS.map((kind) => ({
      label: words[kind],
      picked: shown.has(kind),
      shows: kind,
    }));
    const ofSession = { label: vscode.l10n.t('One session only'), picked: true, shows: undefined };
    const items = sessions ? [ofSession, ...ofKinds] : ofKinds;
    const chosen = await vscode.window.showQuickPick(items, {
      canPickMany: true,
      placeHolder: vscode.l10n.t('Pick the records to show'),
    });
    if (!chosen) return;
    const kinds = new Set(chosen.flatMap(({ shows }) => shows ?? []));
    if (sessions && chosen.some(({ shows }) => shows === undefined)) {
      log.filter = { kinds, sessions };
    } else {
      log.filter = kinds.size === LOG_KINDS.length ? EVERYTHING : { kinds };
    }
  });

  commands.register(Commands.openRecord, async (entry?: LogEntry) => {
    if (entry) await documents.show(formatEntry(entry.record).about, serializeEntry(entry));
  });

  commands.register(Commands.copyRecord, async (entry?: LogEntry) => {
    if (entry) await vscode.env.clipboard.writeText(serializeEntry(entry));
  });

  commands.register(Commands.exportReplayLog, async () => {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(homedir());
    const target = await vscode.window.showSaveDialog({
      title: vscode.l10n.t('Export Replay Log'),
      defaultUri: vscode.Uri.joinPath(folder, 'replay-log.jsonl'),
      filters: { [vscode.l10n.t('JSON Lines')]: ['jsonl'] },
    });
    if (!target) return;
    const entries = [...(await log.shown(MAX_EXPORTED))].reverse();
    const text = entries.map((entry) => `${JSON.stringify(toPlainRecord(entry))}\n`).join('');
    await vscode.workspace.fs.writeFile(target, new TextEncoder().encode(text));
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Exported {0} records to {1}', entries.length, target.fsPath),
    );
  });
  return documents;
}

function serializeEntry(entry: LogEntry): string {
  return `${JSON.stringify(toPlainRecord(entry), null, 2)}\n`;
}

function toPlainRecord({ record, head: { program, pid, host } }: LogEntry) {
  return { ...record, program, pid, host };
}

export function registerAuditCommands(commands: CommandRegistry, env: () => Environment): void {
  commands.register(Commands.verifyAudit, async () => {
    const state = getStateDirectory(env());
    const report = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: vscode.l10n.t('Verifying audit') },
      async () => {
        const { verifyAudit } = await import('../../state/audit/reader.ts');
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
      'The audit was changed ({0} problems): {1}',
      problems.length,
      problems[0] ?? '',
    );
    if ((await vscode.window.showWarningMessage(sentence, show)) === show) await open(report);
  } else if (files === 0) {
    const nothing = vscode.l10n.t('The audit has no records yet. It starts with the first policy.');
    await vscode.window.showInformationMessage(nothing);
  } else {
    // With a copy of these hashes, the user can later detect the removal of the last records.
    const copy = vscode.l10n.t('Copy Last Hashes');
    const sentence =
      files === 1
        ? vscode.l10n.t('The audit is unchanged: {0} records in 1 file', records)
        : vscode.l10n.t('The audit is unchanged: {0} records in {1} files', records, files);
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
