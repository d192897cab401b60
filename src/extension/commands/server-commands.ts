import * as vscode from 'vscode';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { ServersModel } from '../models/servers-model.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import { createConfiguredNode, type RuntimeNode } from '../models/tree-nodes.ts';
import { UserCancelledError } from '../servers/preparation.ts';
import type { ServerController } from '../servers/server-control.ts';
import { Commands } from '../settings/contributions.ts';
import type { RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { formatEntryDescription } from '../views/runtimes-view.ts';
import { offerSetUp } from './command-target.ts';
import { stop as stopSessions } from './session-commands.ts';

/** The argument of a command: a tree item or a name. */
type Given = RuntimeNode | { readonly name: string } | undefined;

/** Registers the commands on the servers of this window. */
export function registerServerCommands(
  commands: CommandRegistry,
  parts: {
    readonly store: RuntimeStore;
    readonly servers: ServerController;
    readonly running: ServersModel;
    readonly sessionsModel: SessionsModel;
  },
): void {
  const { store, servers, running, sessionsModel } = parts;
  const isHere = ({ name }: RuntimeEntry) => running.getRunningPlace(name) === 'here';

  const choose = async (given: Given, isMeant: (entry: RuntimeEntry) => boolean) => {
    const name = getName(given);
    if (name !== undefined) return name;
    if (store.entries.length === 0) return offerSetUp(vscode.l10n.t('No runtime is set up.'));
    await running.refresh();
    return pick(store.entries.filter(isMeant), running, isMeant === isHere);
  };

  commands.register(Commands.startServer, async (given: Given) => {
    const name = await choose(given, (entry) => !isHere(entry));
    await withProgress(vscode.l10n.t('Starting {0}', name), () => servers.start(name));
  });

  commands.register(Commands.stopServer, async (given: Given) => {
    const name = await choose(given, isHere);
    await withProgress(vscode.l10n.t('Stopping {0}', name), () => servers.stop(name));
  });

  commands.register(Commands.restartServer, async (given: Given) => {
    const name = await choose(given, isHere);
    await withProgress(vscode.l10n.t('Restarting {0}', name), () => servers.restart(name));
  });

  commands.register(Commands.showServerOutput, async (given: Given) => {
    await servers.showOutput(await choose(given, () => true));
  });

  commands.register(Commands.resetSession, async (given: Given) => {
    const name = await choose(given, isHere);
    const pids = new Set(running.getPids(name));
    await withProgress(vscode.l10n.t('Resetting the session of {0}', name), () =>
      servers.restart(name, async () => {
        // Stop the sessions left running by the server. In mode `identity`, it does not stop its
        // session.
        const { entries } = await sessionsModel.refresh();
        await stopSessions(
          sessionsModel,
          entries.filter((entry) => isUsedBy(entry, pids)),
        );
      }),
    );
  });
}

function isUsedBy({ mayBill, programs }: SessionInfo, pids: ReadonlySet<number>): boolean {
  return mayBill && programs.some(({ pid, liveness }) => liveness !== 'elsewhere' && pids.has(pid));
}

function getName(given: Given): string | undefined {
  if (!given) return undefined;
  if ('kind' in given) return given.kind === 'configured' ? given.entry.name : undefined;
  return given.name;
}

/**
 * Prompts for a server. If there is only one, returns it without a prompt.
 *
 * @param mustRun Whether `entries` are the running servers. If false, they are all other servers.
 * @throws {UserCancelledError} if there is no server or the user cancels.
 */
async function pick(
  entries: readonly RuntimeEntry[],
  running: ServersModel,
  mustRun: boolean,
): Promise<string> {
  const [first] = entries;
  if (!first) {
    const sentence = mustRun
      ? vscode.l10n.t('No server is running in this window.')
      : vscode.l10n.t('All servers are running.');
    void vscode.window.showInformationMessage(sentence);
    throw new UserCancelledError();
  }
  if (entries.length === 1) return first.name;
  const items = entries.map((entry) => ({
    label: entry.name,
    description: formatEntryDescription(entry, running.getRunningPlace(entry.name)),
    detail: createConfiguredNode(entry).arn ?? '',
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    placeHolder: vscode.l10n.t('Pick a server'),
    matchOnDetail: true,
  });
  if (!chosen) throw new UserCancelledError();
  return chosen.label;
}

function withProgress(title: string, work: () => Promise<void>): Thenable<void> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, work);
}
