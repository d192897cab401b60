import * as vscode from 'vscode';
import type { CallRecord, JournalRecord } from '../../journal/records.ts';
import { decisionOf } from '../../policy/audit/decision-words.ts';
import { printable, runtimeName } from '../../sessions/session-words.ts';
import type { LogEntry } from './log-filter.ts';

/** The label and the description of a log entry. */
export interface EntryWords {
  readonly about: string;
  readonly said: string;
}

/**
 * Sanitizes the text, because servers choose names and messages. Control characters could reverse
 * the text direction.
 */
export function entryWords(record: LogEntry['record']): EntryWords {
  const { about, said } =
    record.type === 'audit.request'
      ? { about: record.name ?? record.method, said: decisionOf(record) }
      : journalWords(record);
  return { about: printable(about), said: printable(said) };
}

function journalWords(record: JournalRecord): EntryWords {
  switch (record.type) {
    case 'call':
      return { about: record.name ?? record.method, said: callWords(record) };
    case 'error':
      return { about: record.message, said: '' };
    case 'session.started':
      return { about: vscode.l10n.t('Session started'), said: runtimeName(record) };
    case 'session.replayed': {
      const { milliseconds, calls, toolsChanged } = record;
      const again =
        calls === 1
          ? vscode.l10n.t('1 call sent again')
          : vscode.l10n.t('{0} calls sent again', calls);
      const tools = toolsChanged ? [vscode.l10n.t('other tools')] : [];
      const said = [again, duration(milliseconds), ...tools].join(' · ');
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

function callWords({ outcome, code, milliseconds, attempts }: CallRecord): string {
  const failure: Readonly<Record<string, string>> = {
    'tool-error': vscode.l10n.t('the tool reported an error'),
    error: vscode.l10n.t('error {0}', code ?? ''),
    failed: vscode.l10n.t('failed'),
    cancelled: vscode.l10n.t('cancelled'),
  };
  return [
    failure[outcome]?.trim(),
    duration(milliseconds),
    attempts > 1 && vscode.l10n.t('{0} attempts', attempts),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Examples: `87 ms`, `2.4 s`. */
function duration(milliseconds: number): string {
  return milliseconds < 1000
    ? vscode.l10n.t('{0} ms', Math.round(milliseconds))
    : vscode.l10n.t('{0} s', (milliseconds / 1000).toFixed(1));
}
