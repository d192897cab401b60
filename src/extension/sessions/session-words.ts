import * as vscode from 'vscode';
import { formatCost } from '../../aws/pricing.ts';
import { formatDuration, formatTime } from '../../base/format.ts';
import { formatRuntimeName, formatSessionNotes } from '../../sessions/format.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import { createTooltip } from '../facts-text.ts';

/** Formats the state of a session. Example: `idle, ends in 12 m`. */
function formatSessionState(entry: SessionInfo): string {
  const { state, mayBill, open, idleLeft, lifetimeLeft, endedAt } = entry;
  if (state === 'active') {
    return open === 1
      ? vscode.l10n.t('active, 1 call under way')
      : vscode.l10n.t('active, {0} calls under way', open);
  }
  if (mayBill) {
    const left = formatDuration(Math.min(idleLeft, lifetimeLeft));
    return state === 'orphaned'
      ? vscode.l10n.t('orphaned, ends in {0}', left)
      : vscode.l10n.t('idle, ends in {0}', left);
  }
  const when = endedAt === undefined ? '' : formatTime(endedAt);
  return state === 'expired'
    ? vscode.l10n.t('expired at {0}', when)
    : vscode.l10n.t('stopped at {0}', when);
}

/** The runtime's name without the suffix that AgentCore adds for its id. */
export function formatSessionLabel(entry: SessionInfo): string {
  return formatRuntimeName(entry).replace(/-[a-zA-Z0-9]{10}(?=:|$)/, '');
}

/** State, cost so far and age. The age comes last, because a narrow view cuts off the end. */
export function formatSessionDescription(entry: SessionInfo): string {
  return [formatSessionState(entry), formatCost(entry.cost), formatDuration(entry.age)].join(' · ');
}

/** The details of a session as Markdown. */
export function createSessionTooltip(entry: SessionInfo): vscode.MarkdownString {
  const { lifecycle, mayBill } = entry;
  const timeouts = vscode.l10n.t(
    '{0} idle, {1} in all',
    formatDuration(lifecycle.idleTimeout),
    formatDuration(lifecycle.maxLifetime),
  );
  const assumed = vscode.l10n.t('{0} (assumed)', timeouts);
  const facts: readonly (readonly [string, string | undefined])[] = [
    [vscode.l10n.t('State'), formatSessionState(entry)],
    [vscode.l10n.t('Runtime'), entry.runtime],
    [vscode.l10n.t('Mode'), entry.mode],
    [vscode.l10n.t('Session'), entry.returnedId ?? entry.runtimeSessionId],
    [vscode.l10n.t('Profile'), entry.profile],
    [vscode.l10n.t('Role'), entry.assumeRole?.arn],
    [vscode.l10n.t('Program'), formatProgram(entry)],
    [vscode.l10n.t('Started'), formatTime(entry.startedAt)],
    [vscode.l10n.t('Last active'), formatTime(entry.lastActiveAt)],
    [vscode.l10n.t('Timeouts'), lifecycle.source === 'runtime' ? timeouts : assumed],
    [vscode.l10n.t('Cost so far'), formatCost(entry.cost)],
    [vscode.l10n.t('Cost to come'), mayBill ? formatCost(entry.costToCome) : undefined],
  ];
  return createTooltip(formatRuntimeName(entry), facts, [
    ...formatSessionNotes(entry),
    ...formatLocalNote([entry]),
  ]);
}

/** A note if all sessions are local, because a local AgentCore bills nothing. */
export function formatLocalNote(entries: readonly SessionInfo[]): readonly string[] {
  const isHere = ({ endpoint }: SessionInfo) =>
    /^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:|\/|$)/.test(endpoint);
  return entries.length > 0 && entries.every(isHere)
    ? [vscode.l10n.t('A local AgentCore bills nothing: this is what AWS would')]
    : [];
}

function formatProgram({ programs }: SessionInfo): string | undefined {
  const words = programs.map(({ program, pid, liveness, host }) => {
    if (liveness === 'alive') return vscode.l10n.t('{0} {1}, running', program, pid);
    if (liveness === 'dead') return vscode.l10n.t('{0} {1}, ended', program, pid);
    return vscode.l10n.t('{0} {1} on {2}', program, pid, host);
  });
  return words.join(', ') || undefined;
}
