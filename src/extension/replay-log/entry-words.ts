import * as vscode from 'vscode';
import { sanitizeForTerminal } from '../../base/format.ts';
import { formatDecisionEffect } from '../../policy/engine/decision.ts';
import { formatRuntimeName } from '../../sessions/format.ts';
import type { CallRecord, JournalRecord } from '../../state/journal/records.ts';
import type { LogEntry } from './log-filter.ts';

/** The label and the description of a log entry. */
interface EntryText {
  readonly about: string;
  readonly said: string;
}

/**
 * Sanitizes the text, because servers choose names and messages. Control characters could reverse
 * the text direction.
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
          ? vscode.l10n.t('Session was gone already')
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

/** Examples: `87 ms`, `2.4 s`. */
function formatCallDuration(milliseconds: number): string {
  return milliseconds < 1000
    ? vscode.l10n.t('{0} ms', Math.round(milliseconds))
    : vscode.l10n.t('{0} s', (milliseconds / 1000).toFixed(1));
}
