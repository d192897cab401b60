import * as vscode from 'vscode';
import { sanitizeForTerminal } from '../../base/format.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { PendingApproval } from '../../state/store.ts';
import type { ApprovalsModel } from '../models/approvals-model.ts';
import type { SessionsModel, SessionsSnapshot } from '../models/sessions-model.ts';
import { createSessionNode, type SessionNode } from '../models/tree-nodes.ts';
import { Contexts, Views } from '../settings/contributions.ts';
import {
  createSessionTooltip,
  formatSessionDescription,
  formatSessionLabel,
} from '../ui/labels.ts';

/** Milliseconds. Sessions with an earlier end are hidden. */
const RECENT_MS = 24 * 3_600_000;

/**
 * The view "Sessions": pending approvals, sessions of all programs that may be billed, and sessions
 * of the last day.
 */
export class SessionsView implements vscode.TreeDataProvider<SessionNode>, vscode.Disposable {
  readonly #journal: SessionsModel;
  readonly #approvals: ApprovalsModel;
  readonly #changed = new vscode.EventEmitter<SessionNode[] | undefined>();
  readonly #view: vscode.TreeView<SessionNode>;
  readonly #subscriptions: vscode.Disposable[];
  /** The ids of the shown sessions, to detect whether the tree must be rebuilt. */
  #shape: string | undefined;
  /** The nodes of the sessions that may be billed, by session id. */
  #billing: ReadonlyMap<string, ShownSession> = new Map();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(sessionsModel: SessionsModel, approvals: ApprovalsModel) {
    this.#journal = sessionsModel;
    this.#approvals = approvals;
    this.#view = vscode.window.createTreeView(Views.sessions, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      sessionsModel.onDidChange((snapshot) => this.#show(snapshot)),
      approvals.onDidChange(() => this.#changed.fire(undefined)),
      this.#view.onDidChangeVisibility(({ visible }) => visible && void sessionsModel.refresh()),
    ];
    this.#show(sessionsModel.value);
  }

  getTreeItem(node: SessionNode): vscode.TreeItem {
    switch (node.kind) {
      case 'approvals':
        return createApprovalsItem(node.all);
      case 'approval':
        return createApprovalItem(node.pending);
      case 'ended':
        return createEndedItem(node.entries);
      case 'session':
        return createSessionItem(node.entry);
    }
  }

  getChildren(node?: SessionNode): SessionNode[] {
    if (node?.kind === 'approvals') {
      return node.all.map((pending) => ({ kind: 'approval', pending }));
    }
    if (node) return node.kind === 'ended' ? node.entries.map(createSessionNode) : [];
    const { value: pending } = this.#approvals;
    const { entries } = this.#journal.value;
    const ended = entries.filter(hasEndedRecently);
    const billing = entries.filter(({ mayBill }) => mayBill);
    this.#shape = serializeShape(entries);
    this.#billing = new Map(billing.map((entry) => [entry.id, { kind: 'session', entry }]));
    return [
      ...(pending.length > 0 ? [{ kind: 'approvals' as const, all: pending }] : []),
      ...this.#billing.values(),
      ...(ended.length > 0 ? [{ kind: 'ended' as const, entries: ended }] : []),
    ];
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #show({ entries, problems }: SessionsSnapshot): void {
    const billing = entries.filter(({ mayBill }) => mayBill).length;
    const tooltip =
      billing === 1
        ? vscode.l10n.t('1 session may be billed')
        : vscode.l10n.t('{0} sessions may be billed', billing);
    this.#view.badge = billing > 0 ? { value: billing, tooltip } : undefined;
    const isBroken = problems.length > 0 && entries.length === 0;
    // VS Code hides the welcome view and its buttons if there is a message.
    this.#view.message = isBroken ? '' : (problems[0] ?? '');
    void vscode.commands.executeCommand('setContext', Contexts.journalIsBroken, isBroken);
    this.#update();
  }

  /**
   * Updates the tree. If only texts have changed, keeps the items. The user may be about to press a
   * button of an item, and a rebuilt item loses it. VS Code also cannot map it to its session for a
   * moment.
   */
  #update(): void {
    const { entries } = this.#journal.value;
    if (serializeShape(entries) !== this.#shape) {
      this.#changed.fire(undefined);
      return;
    }
    for (const entry of entries) {
      const node = this.#billing.get(entry.id);
      if (node) node.entry = entry;
    }
    if (this.#billing.size > 0) this.#changed.fire([...this.#billing.values()]);
  }
}

/**
 * The node of a session that may be billed. VS Code identifies an item by its node object, so this
 * one is updated in place.
 */
interface ShownSession {
  readonly kind: 'session';
  entry: SessionInfo;
}

/** Serializes the set of shown sessions and their groups. */
function serializeShape(entries: readonly SessionInfo[]): string {
  return JSON.stringify([
    entries.filter(({ mayBill }) => mayBill).map(({ id }) => id),
    entries.filter(hasEndedRecently).map(({ id }) => id),
  ]);
}

function createSessionItem(entry: SessionInfo): vscode.TreeItem {
  const label = formatSessionLabel(entry);
  const item = new vscode.TreeItem(label);
  const { state, mayBill } = entry;
  item.id = entry.id;
  item.description = formatSessionDescription(entry);
  item.tooltip = createSessionTooltip(entry);
  item.iconPath = new vscode.ThemeIcon(ICONS[state]);
  item.contextValue = mayBill ? `session;bills;${state}` : 'session;ended';
  item.accessibilityInformation = { label: `${label}, ${item.description}` };
  return item;
}

const ICONS: Readonly<Record<SessionInfo['state'], string>> = {
  active: 'pulse',
  idle: 'clock',
  orphaned: 'warning',
  expired: 'circle-slash',
  stopped: 'circle-slash',
};

function createEndedItem(entries: readonly SessionInfo[]): vscode.TreeItem {
  const item = new vscode.TreeItem(
    vscode.l10n.t('Ended'),
    vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = 'ended';
  item.description = vscode.l10n.t('{0} in the last day', entries.length);
  item.accessibilityInformation = {
    label: vscode.l10n.t('Ended sessions: {0} in the last day', entries.length),
  };
  return item;
}

function hasEndedRecently({ mayBill, endedAt }: SessionInfo): boolean {
  return !mayBill && endedAt !== undefined && Date.now() - Date.parse(endedAt) < RECENT_MS;
}

/** Internal command: opens the dialog for the approval with the given id. */
export const REVIEW = '_agentcore.reviewApproval';

/** Maximum characters of a tool name. */
const MAX_NAME_LENGTH = 100;

/**
 * Formats a tool name for display. The agent chooses the name, so characters of a Markdown link are
 * removed.
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
  item.description = vscode.l10n.t('waits for your approval, {0} s left', seconds);
  item.tooltip = text;
  item.iconPath = new vscode.ThemeIcon('question');
  item.contextValue = mayLast ? 'approval;session' : 'approval;once';
  item.command = { command: REVIEW, title: vscode.l10n.t('Review'), arguments: [id] };
  item.accessibilityInformation = {
    label: vscode.l10n.t('{0}, waits for your approval, {1} s left', name, seconds),
  };
  return item;
}
