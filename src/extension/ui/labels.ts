import * as vscode from 'vscode';
import type { Identity } from '../../aws/credentials/caller-identity.ts';
import type { ProfileKind } from '../../aws/credentials/profiles.ts';
import { formatCost } from '../../aws/pricing.ts';
import { formatDuration, formatTime, sanitizeForTerminal } from '../../base/format.ts';
import { formatRuntimeName, formatSessionNotes } from '../../sessions/format.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';

// Texts for display: identities, profiles, logins and sessions.

/** Formats a name, its facts and additional sentences as a Markdown tooltip. */
export function createTooltip(
  name: string,
  facts: readonly (readonly [string, string | undefined])[],
  sentences: readonly string[] = [],
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown(`**${escapeMarkdown(name)}**\n\n`);
  for (const [fact, value] of facts) {
    if (value) text.appendMarkdown(`- ${fact}: ${escapeMarkdown(value)}\n`);
  }
  for (const sentence of sentences) text.appendMarkdown(`\n${escapeMarkdown(sentence)}.\n`);
  return text;
}

/** Escapes untrusted text for Markdown. */
function escapeMarkdown(text: string): string {
  return sanitizeForTerminal(text).replace(/[\\`*_{}[\]()#+\-.!|<>&~]/g, '\\$&');
}

/** Formats an identity. Example: `role Reader (alice)`. */
export function formatIdentity({ kind, name, sessionName, arn }: Identity): string {
  switch (kind) {
    case 'root':
      return vscode.l10n.t('the root user');
    case 'user':
      return vscode.l10n.t('user {0}', name);
    case 'federated-user':
      return vscode.l10n.t('federated user {0}', name);
    case 'role':
      return sessionName
        ? vscode.l10n.t('role {0} ({1})', name, sessionName)
        : vscode.l10n.t('role {0}', name);
    case 'unknown':
      return arn;
  }
}

/** Formats an expiry. Examples: `expires in 50 m`, `expired`. `undefined` if there is no expiry. */
export function formatExpiry(
  expiresAt: string | Date | undefined,
  now: number,
): string | undefined {
  if (expiresAt === undefined) return undefined;
  const left = new Date(expiresAt).getTime() - now;
  return left > 0
    ? vscode.l10n.t('expires in {0}', formatDuration(left))
    : vscode.l10n.t('expired');
}

/** Formats the kind of a profile's credentials. */
export function formatProfileKind(kind: ProfileKind): string {
  switch (kind) {
    case 'static':
      return vscode.l10n.t('access key');
    case 'sso-session':
    case 'sso-legacy':
      return vscode.l10n.t('SSO');
    case 'role':
      return vscode.l10n.t('role');
    case 'process':
      return vscode.l10n.t('credential process');
    case 'web-identity':
      return vscode.l10n.t('web identity');
    case 'login':
      return vscode.l10n.t('AWS login');
    case 'unknown':
      return vscode.l10n.t('container or instance');
  }
}

/**
 * The message for a missing login. It contains no shell command, because each message with this
 * text has a button to sign in.
 */
export function formatMissingLogin(profile: string): string {
  return vscode.l10n.t('The login of profile "{0}" is missing or has expired', profile);
}

/** Formats the state of a session. Example: `idle, ends in 12 m`. */
function formatSessionState(entry: SessionInfo): string {
  const { state, mayBill, open, idleLeft, lifetimeLeft, endedAt } = entry;
  if (state === 'active') {
    return open === 1
      ? vscode.l10n.t('active, 1 call in progress')
      : vscode.l10n.t('active, {0} calls in progress', open);
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

/** The name of the runtime, without the ten characters added by AgentCore. */
export function formatSessionLabel(entry: SessionInfo): string {
  return formatRuntimeName(entry).replace(/-[a-zA-Z0-9]{10}(?=:|$)/, '');
}

/** State, cost so far and age. The age is last, because a narrow view cuts off the end. */
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
    [
      vscode.l10n.t('Estimated cost until idle timeout'),
      mayBill ? formatCost(entry.costToCome) : undefined,
    ],
  ];
  return createTooltip(formatRuntimeName(entry), facts, [
    ...formatSessionNotes(entry),
    ...formatLocalNote([entry]),
  ]);
}

/** Returns a note if all sessions are local, because a local AgentCore bills nothing. */
export function formatLocalNote(entries: readonly SessionInfo[]): readonly string[] {
  const isHere = ({ endpoint }: SessionInfo) =>
    /^http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\])(:|\/|$)/.test(endpoint);
  return entries.length > 0 && entries.every(isHere)
    ? [vscode.l10n.t('A local AgentCore costs nothing. These are the costs on AWS.')]
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
