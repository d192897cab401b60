import * as vscode from 'vscode';
import { formatCost, sumCosts } from '../../aws/pricing.ts';
import { formatDuration } from '../../base/format.ts';
import type { Model } from '../../base/watched-value.ts';
import { formatRuntimeName } from '../../sessions/format.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { SessionsSnapshot } from '../models/sessions-model.ts';
import { createSessionNode } from '../models/tree-nodes.ts';
import { Commands, Settings, Views } from '../settings/contributions.ts';
import { formatLocalNote } from '../ui/labels.ts';

const MINUTE = 60_000;

/**
 * Shows in the status bar how many sessions may be billed, and their cost. Also shows a notice if
 * one runs for too long.
 */
export class BillingStatusBar implements vscode.Disposable {
  readonly #item: vscode.StatusBarItem;
  readonly #subscriptions: vscode.Disposable[];
  readonly #noticed = new Set<string>();

  constructor(sessions: Model<SessionsSnapshot>) {
    this.#item = vscode.window.createStatusBarItem(
      'agentcore.billing',
      vscode.StatusBarAlignment.Right,
      50,
    );
    this.#item.name = vscode.l10n.t('AgentCore Sessions');
    this.#item.command = `${Views.sessions}.focus`;
    this.#subscriptions = [
      this.#item,
      sessions.onDidChange((snapshot) => this.#show(snapshot)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('agentcore.sessions')) this.#show(sessions.value);
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #show({ entries }: SessionsSnapshot): void {
    const billing = entries.filter(({ mayBill }) => mayBill);
    const configuration = vscode.workspace.getConfiguration('agentcore');
    if (billing.length === 0 || !configuration.get<boolean>(Settings.statusBar, true)) {
      this.#item.hide();
    } else {
      const cost = formatCost(sumCosts(billing.map((entry) => entry.cost)));
      const toCome = formatCost(sumCosts(billing.map((entry) => entry.costToCome)));
      this.#item.text = `$(server-environment) ${billing.length} · ${cost}`;
      this.#item.tooltip = [
        vscode.l10n.t('AgentCore sessions that may be billed: {0}', billing.length),
        vscode.l10n.t('Cost so far: {0}', cost),
        vscode.l10n.t('Estimated cost until idle timeout: {0}', toCome),
        ...formatLocalNote(billing),
      ].join('\n');
      this.#item.accessibilityInformation = {
        label:
          billing.length === 1
            ? vscode.l10n.t('1 AgentCore session may be billed, {0} so far', cost)
            : vscode.l10n.t(
                '{0} AgentCore sessions may be billed, {1} so far',
                billing.length,
                cost,
              ),
      };
      this.#item.show();
    }
    const threshold = configuration.get<number>(Settings.noticeAfter, 60) * MINUTE;
    if (threshold > 0) this.#notice(billing, threshold);
  }

  /** Shows one notice for each session older than `threshold` milliseconds. */
  #notice(billing: readonly SessionInfo[], threshold: number): void {
    const due = billing.filter(({ id, age }) => age >= threshold && !this.#noticed.has(id));
    for (const { id } of due) this.#noticed.add(id);
    const oldest = due.at(-1);
    if (!oldest) return;
    const sentence =
      due.length === 1
        ? vscode.l10n.t(
            'A session on {0} has run for {1}. Cost so far: {2}',
            formatRuntimeName(oldest),
            formatDuration(oldest.age),
            formatCost(oldest.cost),
          )
        : vscode.l10n.t(
            '{0} sessions have run for more than {1}. Cost so far: {2}',
            due.length,
            formatDuration(threshold),
            formatCost(sumCosts(due.map(({ cost }) => cost))),
          );
    void offer(sentence, due);
  }
}

async function offer(sentence: string, entries: readonly SessionInfo[]): Promise<void> {
  const stop =
    entries.length === 1 ? vscode.l10n.t('Stop Session') : vscode.l10n.t('Stop Sessions');
  const show = vscode.l10n.t('Show Sessions');
  const chosen = await vscode.window.showInformationMessage(sentence, stop, show);
  if (chosen === stop) {
    await vscode.commands.executeCommand(
      Commands.stopSession,
      undefined,
      entries.map(createSessionNode),
    );
  }
  if (chosen === show) await vscode.commands.executeCommand(`${Views.sessions}.focus`);
}
