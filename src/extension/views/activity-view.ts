import { createHash } from 'node:crypto';
import * as vscode from 'vscode';
import { formatTime, sanitizeForTerminal } from '../../base/format.ts';
import { formatDecision, formatDecisionEffect } from '../../policy/engine/decision.ts';
import { formatRecord, formatRuntimeName } from '../../sessions/format.ts';
import type { CallRecord, JournalRecord } from '../../state/journal/records.ts';
import {
  type ActivityModel,
  EVERYTHING,
  filterEntries,
  type LogEntry,
  type LogFilter,
} from '../models/activity-model.ts';
import { Commands, Contexts, Views } from '../settings/contributions.ts';

// The Replay Log view, its item texts, and read-only documents for single records.

/** Maximum number of entries in the view. */
const MAX_SHOWN_ENTRIES = 500;

/** The Replay Log view: journal and audit records of all programs, newest first. */
export class ActivityView implements vscode.TreeDataProvider<LogEntry>, vscode.Disposable {
  readonly #activity: ActivityModel;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #view: vscode.TreeView<LogEntry>;
  readonly #subscriptions: readonly vscode.Disposable[];
  #filter = EVERYTHING;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(activity: ActivityModel) {
    this.#activity = activity;
    this.#view = vscode.window.createTreeView(Views.replayLog, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      activity.onDidChange(() => this.#changed.fire(undefined)),
    ];
  }

  get filter(): LogFilter {
    return this.#filter;
  }

  set filter(filter: LogFilter) {
    this.#filter = filter;
    const isFiltered = filter !== EVERYTHING;
    this.#view.description = filter.sessions
      ? vscode.l10n.t('one session')
      : isFiltered
        ? vscode.l10n.t('filtered')
        : '';
    void vscode.commands.executeCommand('setContext', Contexts.logIsFiltered, isFiltered);
    this.#changed.fire(undefined);
  }

  /** The filtered entries, newest first. */
  async shown(limit = MAX_SHOWN_ENTRIES): Promise<readonly LogEntry[]> {
    this.#activity.start();
    const { entries, problem } = await this.#activity.ready();
    this.#view.message = problem ?? '';
    return filterEntries(entries, this.#filter, limit);
  }

  getTreeItem(entry: LogEntry): vscode.TreeItem {
    const { record, head, at } = entry;
    const { about, said } = formatEntry(record);
    const time = formatTime(new Date(at).toISOString());
    const who = head.name ?? `${head.program} ${head.pid}`;
    const item = new vscode.TreeItem(about);
    item.description = [said, time.slice(11), sanitizeForTerminal(who)].filter(Boolean).join(' · ');
    item.tooltip = `${time} · ${head.program} ${head.pid}\n${formatEntryText(record)}`;
    item.iconPath = new vscode.ThemeIcon(getEntryIcon(record));
    item.contextValue = 'record';
    item.command = {
      command: Commands.openRecord,
      title: vscode.l10n.t('Open Record'),
      arguments: [entry],
    };
    item.accessibilityInformation = { label: `${about}, ${item.description}` };
    return item;
  }

  async getChildren(entry?: LogEntry): Promise<LogEntry[]> {
    return entry ? [] : [...(await this.shown())];
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }
}

/** The full record as one sentence, for the tooltip. */
function formatEntryText(record: LogEntry['record']): string {
  const words = record.type === 'audit.request' ? formatDecision(record) : formatRecord(record);
  return sanitizeForTerminal(words ?? record.type);
}

function getEntryIcon(record: LogEntry['record']): string {
  const { type } = record;
  if (type === 'audit.request')
    return record.decision?.effect === 'deny' ? 'circle-slash' : 'shield';
  if (type === 'session.replayed') return 'history';
  if (type === 'call') return getCallIcon(record);
  if (type === 'error') return record.level === 'warning' ? 'warning' : 'error';
  if (type === 'session.lost' || type === 'session.stop-failed') return 'error';
  return type === 'program' ? 'terminal' : 'server-environment';
}

/** Only failures have their own icon. A cancelled call is not a failure. */
function getCallIcon({ outcome }: CallRecord): string {
  if (outcome === 'tool-error') return 'warning';
  return outcome === 'error' || outcome === 'failed' ? 'error' : 'symbol-method';
}

/** The label and the description of a log entry. */
interface EntryText {
  readonly about: string;
  readonly said: string;
}

/**
 * Formats a record and sanitizes it. Servers choose names and messages, and control characters
 * could reverse the text direction.
 */
export function formatEntry(record: LogEntry['record']): EntryText {
  const { about, said } =
    record.type === 'audit.request'
      ? { about: record.name ?? record.method, said: formatDecisionEffect(record) }
      : formatJournalRecord(record);
  return { about: sanitizeForTerminal(about), said: sanitizeForTerminal(said) };
}

function formatJournalRecord(record: JournalRecord): EntryText {
  switch (record.type) {
    case 'call':
      return { about: record.name ?? record.method, said: formatCall(record) };
    case 'error':
      return { about: record.message, said: '' };
    case 'session.started':
      return { about: vscode.l10n.t('Session started'), said: formatRuntimeName(record) };
    case 'session.replayed': {
      const { milliseconds, calls, toolsChanged } = record;
      const again =
        calls === 1
          ? vscode.l10n.t('1 call sent again')
          : vscode.l10n.t('{0} calls sent again', calls);
      const tools = toolsChanged ? [vscode.l10n.t('other tools')] : [];
      const said = [again, formatCallDuration(milliseconds), ...tools].join(' · ');
      return { about: vscode.l10n.t('Handshake repeated'), said };
    }
    case 'session.lost':
      return { about: vscode.l10n.t('Session lost'), said: record.reason };
    case 'session.left':
      return { about: vscode.l10n.t('Session left running'), said: '' };
    case 'session.stopped':
      return {
        about: record.wasGone
          ? vscode.l10n.t('Session had already ended')
          : vscode.l10n.t('Session stopped'),
        said: '',
      };
    case 'session.stop-failed':
      return { about: vscode.l10n.t('Session could not be stopped'), said: record.reason };
    case 'session.dismissed':
      return { about: vscode.l10n.t('Session dismissed'), said: '' };
    case 'program':
      return { about: vscode.l10n.t('{0} started', record.program), said: record.version };
    default:
      return { about: record.type, said: '' };
  }
}

function formatCall({ outcome, code, milliseconds, attempts }: CallRecord): string {
  const failure: Readonly<Record<string, string>> = {
    'tool-error': vscode.l10n.t('the tool reported an error'),
    error: vscode.l10n.t('error {0}', code ?? ''),
    failed: vscode.l10n.t('failed'),
    cancelled: vscode.l10n.t('cancelled'),
  };
  return [
    failure[outcome]?.trim(),
    formatCallDuration(milliseconds),
    attempts > 1 && vscode.l10n.t('{0} attempts', attempts),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Formats a duration. Examples: `87 ms`, `2.4 s`. */
function formatCallDuration(milliseconds: number): string {
  return milliseconds < 1000
    ? vscode.l10n.t('{0} ms', Math.round(milliseconds))
    : vscode.l10n.t('{0} s', (milliseconds / 1000).toFixed(1));
}

const SCHEME = 'agentcore-record';

/** Maximum number of documents in memory. The tab of a dropped document shows a hint. */
const MAX_DOCUMENTS = 100;

/** Opens records as read-only documents. VS Code closes them without a question. */
export class RecordDocuments implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #registration: vscode.Disposable;

  constructor() {
    this.#registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  }

  /** @param name The title of the tab. It becomes the file name of the URI. */
  async show(name: string, json: string): Promise<void> {
    const title = name.replace(/[^\w .-]+/g, ' ').trim() || 'record';
    // Equal records have the same URI, so VS Code shows the open tab again.
    const query = createHash('sha256').update(json).digest('hex').slice(0, 16);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${title}.json`, query });
    this.#texts.delete(query);
    this.#texts.set(query, json);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_DOCUMENTS && oldest !== undefined) this.#texts.delete(oldest);
    await vscode.window.showTextDocument(uri, { preview: true });
  }

  provideTextDocumentContent({ query }: vscode.Uri): string {
    return this.#texts.get(query) ?? vscode.l10n.t('Open this record in the replay log again.');
  }

  dispose(): void {
    this.#registration.dispose();
  }
}
