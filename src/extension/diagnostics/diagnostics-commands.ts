import * as vscode from 'vscode';
import type { CommandRegistry } from '../commands/command-registry.ts';
import { Commands } from '../contributions.ts';
import type { SessionsModel } from '../journal/journal-watch.ts';
import type { LogChannel } from '../log-channel.ts';
import type { RuntimeStore } from '../runtimes/runtime-store.ts';
import { getWindowEnvironment } from '../window-environment.ts';
import { formatDiagnostics } from './diagnostics.ts';

export function registerDiagnosticsCommands(
  commands: CommandRegistry,
  parts: {
    readonly log: LogChannel;
    readonly store: RuntimeStore;
    readonly journal: SessionsModel;
    readonly version: string;
  },
): void {
  const { log, store, journal, version } = parts;
  commands.register(Commands.showLogs, () => log.show());
  commands.register(Commands.copyDiagnostics, async () => {
    const { entries } = await journal.refresh();
    const text = formatDiagnostics({
      extension: version,
      vscode: vscode.version,
      remote: vscode.env.remoteName,
      isTrusted: vscode.workspace.isTrusted,
      entries: store.entries,
      problems: store.problems.map(({ sentence }) => sentence),
      sessions: entries.filter(({ mayBill }) => mayBill),
      journal: await journal.sessions().then(
        ({ folder }) => folder,
        (thrown: Error) => thrown.message,
      ),
      env: getWindowEnvironment(),
    });
    await vscode.env.clipboard.writeText(text);
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Copied. It names your runtimes and profiles, and holds no secret.'),
    );
  });
}
