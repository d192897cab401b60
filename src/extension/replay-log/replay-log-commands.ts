import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { getRecordIds } from '../../sessions/session-info.ts';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands, Views } from '../contributions.ts';
import type { SessionNode } from '../sessions/session-node.ts';
import { formatEntry } from './entry-words.ts';
import { EVERYTHING, LOG_KINDS, type LogEntry, type LogKind } from './log-filter.ts';
import { RecordDocuments } from './record-documents.ts';
import type { ReplayLogView } from './replay-log-view.ts';

/** Maximum number of records in an export. */
const MAX_EXPORTED = 100_000;

/** @returns the provider of the record documents. */
export function registerReplayLogCommands(
  commands: CommandRegistry,
  log: ReplayLogView,
): vscode.Disposable {
  const documents = new RecordDocuments();

  /** If run on a session, shows only the records of this session. */
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
      placeHolder: vscode.l10n.t('What the log shows'),
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
