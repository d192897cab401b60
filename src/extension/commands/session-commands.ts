import * as vscode from 'vscode';
import { formatCost, sumCosts } from '../../aws/pricing.ts';
import { AgentCoreError } from '../../base/errors.ts';
import { findUnconfirmed } from '../../base/exec.ts';
import { formatRuntimeName } from '../../sessions/format.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { SessionsModel } from '../models/sessions-model.ts';
import type { SessionNode } from '../models/tree-nodes.ts';
import { Commands, Views } from '../settings/contributions.ts';
import type { CommandRegistry } from '../ui/command-registry.ts';
import { formatMissingLogin, formatSessionDescription } from '../ui/labels.ts';

/** Registers the commands on the sessions of all programs. */
export function registerSessionCommands(
  commands: CommandRegistry,
  sessionsModel: SessionsModel,
): void {
  const billing = async () =>
    (await sessionsModel.refresh()).entries.filter(({ mayBill }) => mayBill);

  const orphaned = async () => (await billing()).filter(({ state }) => state === 'orphaned');

  commands.register(Commands.stopSession, async (...target: SessionTarget) => {
    const entries = await resolveTarget(target, billing, {
      placeHolder: vscode.l10n.t('Pick the sessions to stop'),
    });
    await stop(sessionsModel, entries);
  });

  commands.register(Commands.dismissSession, async (...target: SessionTarget) => {
    const entries = await resolveTarget(target, orphaned, {
      placeHolder: vscode.l10n.t('Pick the sessions to dismiss'),
      ifNone: vscode.l10n.t('There is no orphaned session to dismiss.'),
    });
    await dismiss(sessionsModel, entries);
  });

  commands.register(Commands.stopAllSessions, async () => {
    const entries = await billing();
    if (entries.length === 0) return showNoSession();
    const active = entries.filter(({ state }) => state === 'active').length;
    const stopAll = vscode.l10n.t('Stop Sessions');
    const chosen = await vscode.window.showWarningMessage(
      entries.length === 1
        ? vscode.l10n.t('Stop 1 session?')
        : vscode.l10n.t('Stop {0} sessions?', entries.length),
      {
        modal: true,
        detail:
          active > 0
            ? vscode.l10n.t(
                '{0} of these sessions have calls in progress. These calls will fail.',
                active,
              )
            : vscode.l10n.t('The next call starts a new session.'),
      },
      stopAll,
    );
    if (chosen === stopAll) await stop(sessionsModel, entries);
  });

  commands.register(Commands.stopOrphanedSessions, async () => {
    const entries = await orphaned();
    if (entries.length === 0) return showNoSession();
    await stop(sessionsModel, entries);
  });

  commands.register(Commands.refreshSessions, () => sessionsModel.refresh());

  commands.register(Commands.copySessionId, async (node?: SessionNode) => {
    const [entry] = await resolveTarget([node], billing, {
      placeHolder: vscode.l10n.t('Pick a session'),
    });
    if (entry) await vscode.env.clipboard.writeText(entry.returnedId ?? entry.runtimeSessionId);
  });
}

/** Offers to stop the orphaned sessions of earlier programs. Called once per window. */
export async function offerToStopOrphans(sessionsModel: SessionsModel): Promise<void> {
  const { entries } = await sessionsModel.refresh();
  const orphans = entries.filter(({ state }) => state === 'orphaned');
  if (orphans.length === 0) return;
  const stopThem = vscode.l10n.t('Stop Sessions');
  const show = vscode.l10n.t('Show Sessions');
  const toCome = formatCost(sumCosts(orphans.map(({ costToCome }) => costToCome)));
  const chosen = await vscode.window.showWarningMessage(
    orphans.length === 1
      ? vscode.l10n.t(
          'An orphaned session on {0} may be billed. Estimated cost until it times out: {1}',
          formatRuntimeName(orphans[0] as SessionInfo),
          toCome,
        )
      : vscode.l10n.t(
          '{0} orphaned sessions may be billed. Estimated cost until they time out: {1}',
          orphans.length,
          toCome,
        ),
    stopThem,
    show,
  );
  if (chosen === stopThem) await vscode.commands.executeCommand(Commands.stopOrphanedSessions);
  if (chosen === show) await vscode.commands.executeCommand(`${Views.sessions}.focus`);
}

/** The arguments of a command in a tree view: the item, and all selected items. */
type SessionTarget = [node?: SessionNode | undefined, selected?: readonly SessionNode[]];

/** The texts of a picker. */
interface PickerTexts {
  readonly placeHolder: string;
  /** Shown if there is no session to pick. */
  readonly ifNone?: string;
}

/** Returns the sessions of the selected items. If there are none, prompts for some of `offered`. */
async function resolveTarget(
  [node, selected]: SessionTarget,
  offered: () => Promise<readonly SessionInfo[]>,
  { placeHolder, ifNone }: PickerTexts,
): Promise<readonly SessionInfo[]> {
  const nodes = selected?.length ? selected : node ? [node] : [];
  const named = nodes.flatMap((one) => (one.kind === 'session' ? [one.entry] : []));
  if (named.length > 0) return named;
  const entries = await offered();
  if (entries.length === 0) {
    showNoSession(ifNone);
    return [];
  }
  const items = entries.map((entry) => ({
    label: formatRuntimeName(entry),
    description: formatSessionDescription(entry),
    detail: entry.returnedId ?? entry.runtimeSessionId,
    // Preselect the only session, so Enter is enough.
    picked: entries.length === 1,
    entry,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    canPickMany: true,
    placeHolder,
    matchOnDetail: true,
  });
  return chosen?.map(({ entry }) => entry) ?? [];
}

/**
 * Stops sessions and shows the progress.
 *
 * @throws {AgentCoreError} `upstream`, with one message for all failed sessions. `data.unstopped`
 *   contains them. If a sign-in can help, `data.login` is its profile.
 */
export async function stop(
  sessionsModel: SessionsModel,
  entries: readonly SessionInfo[],
): Promise<void> {
  if (entries.length === 0) return;
  const sessions = await sessionsModel.sessions();
  const failures: Failure[] = [];
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title:
        entries.length === 1
          ? vscode.l10n.t(
              'Stopping the session on {0}',
              formatRuntimeName(entries[0] as SessionInfo),
            )
          : vscode.l10n.t('Stopping {0} sessions', entries.length),
      cancellable: true,
    },
    async (progress, token) => {
      const ending = new AbortController();
      token.onCancellationRequested(() => ending.abort());
      await sessions.stop(entries, {
        signal: ending.signal,
        // Only a warning: if the journal cannot be written, the sessions are still stopped.
        onFailure: (sentence) => void vscode.window.showWarningMessage(sentence),
        onResult: (entry, result) => {
          progress.report({ increment: 100 / entries.length });
          if (result.how === 'failed') failures.push({ entry, ...result });
        },
      });
    },
  );
  await sessionsModel.refresh();
  if (failures.length > 0) throw createStopError(failures);
}

/** Removes sessions from the list, after the user's confirmation. */
async function dismiss(
  sessionsModel: SessionsModel,
  entries: readonly SessionInfo[],
): Promise<void> {
  const [first] = entries;
  if (!first) return;
  const dismissThem =
    entries.length === 1 ? vscode.l10n.t('Dismiss Session') : vscode.l10n.t('Dismiss Sessions');
  const chosen = await vscode.window.showWarningMessage(
    entries.length === 1
      ? vscode.l10n.t('Dismiss the session on {0}?', formatRuntimeName(first))
      : vscode.l10n.t('Dismiss {0} sessions?', entries.length),
    {
      modal: true,
      detail:
        entries.length === 1
          ? vscode.l10n.t(
              'AgentCore may bill it until it times out. The list will no longer show it.',
            )
          : vscode.l10n.t(
              'AgentCore may bill them until they time out. The list will no longer show them.',
            ),
    },
    dismissThem,
  );
  if (chosen !== dismissThem) return;
  const sessions = await sessionsModel.sessions();
  await sessions.dismiss(entries, (sentence) => void vscode.window.showWarningMessage(sentence));
  await sessionsModel.refresh();
}

/** A session after a failed stop. */
interface Failure {
  readonly entry: SessionInfo;
  readonly reason: string;
  readonly cause?: unknown;
}

function createStopError(failures: readonly Failure[]): AgentCoreError {
  const byReason = new Map<string, readonly string[]>();
  for (const failure of failures) {
    const login = findLogin(failure);
    const reason = login === undefined ? failure.reason : formatMissingLogin(login);
    byReason.set(reason, [...(byReason.get(reason) ?? []), formatRuntimeName(failure.entry)]);
  }
  const words = [...byReason].map(([reason, names]) => `${names.join(', ')}: ${reason}`);
  const { cause } =
    failures.find(findLogin) ??
    failures.find((one) => findUnconfirmed(one.cause)) ??
    failures.find((one) => one.cause) ??
    {};
  return new AgentCoreError(
    'upstream',
    vscode.l10n.t('Could not be stopped and may be billed: {0}', words.join('; ')),
    {
      cause,
      data: {
        ...(cause instanceof AgentCoreError && cause.data),
        unstopped: failures.map(({ entry }) => entry),
      },
    },
  );
}

/** The profile to sign in to, if a missing login is the cause. */
function findLogin({ cause }: Failure): string | undefined {
  const login = cause instanceof AgentCoreError ? cause.data?.login : undefined;
  return typeof login === 'string' ? login : undefined;
}

function showNoSession(sentence = vscode.l10n.t('There is no session to stop.')): void {
  void vscode.window.showInformationMessage(sentence);
}
