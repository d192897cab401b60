import * as vscode from 'vscode';
import { getCallability } from '../../aws/discovery/callability.ts';
import type { DiscoveredScope } from '../../aws/discovery/discovery.ts';
import type { DiscoveredGateway, DiscoveredRuntime } from '../../aws/discovery/model.ts';
import { formatDuration } from '../../base/format.ts';
import type { KnownIdentity } from '../credentials/identities.ts';
import { formatIdentity } from '../credentials/identity-words.ts';
import { createTooltip } from '../facts-text.ts';
import type { RunningPlace } from '../servers/running-servers.ts';
import { getTargetArn } from '../servers/server-environment.ts';
import type { RuntimeEntry } from './runtime-entry.ts';

/** The state of a server for display. */
function formatRunningPlace(place: RunningPlace | undefined): string {
  if (place === 'here') return vscode.l10n.t('running');
  if (place === 'elsewhere') return vscode.l10n.t('running in another window');
  return vscode.l10n.t('stopped');
}

/** The description of a configured runtime in the tree. */
export function formatEntryDescription(
  entry: RuntimeEntry,
  place: RunningPlace | undefined,
): string {
  return [formatRunningPlace(place), ...formatCaller(entry), entry.sessionMode]
    .filter(Boolean)
    .join(' · ');
}

/**
 * The caller of the runtime. A token request does not use the profile's identity, so the profile is
 * omitted.
 */
function formatCaller({ profile, role, target, authorization }: RuntimeEntry) {
  if (target.kind === 'local') return [vscode.l10n.t('on this machine')];
  switch (authorization.kind) {
    case 'iam':
      return [profile, role && getRoleName(role.arns.at(-1) ?? '')];
    case 'oauth':
      return [vscode.l10n.t('OAuth')];
    case 'tokenCommand':
      return [vscode.l10n.t('token command')];
    case 'none':
      return [vscode.l10n.t('open to anybody')];
  }
}

/** The details of a configured runtime as Markdown. */
export function createEntryTooltip(
  entry: RuntimeEntry,
  place: RunningPlace | undefined,
  known: KnownIdentity | undefined,
): vscode.MarkdownString {
  const { target, role, authorization, endpointUrl } = entry;
  const local =
    target.kind === 'local' ? (target.config ?? vscode.l10n.t('the sample')) : undefined;
  const endpoint =
    entry.qualifier ?? (target.kind === 'runtime' ? target.runtime.endpoint : undefined);
  const identity = known?.identity;
  return createTooltip(entry.name, [
    [vscode.l10n.t('State'), formatRunningPlace(place)],
    [vscode.l10n.t('ARN'), getTargetArn(entry)],
    [vscode.l10n.t('Local AgentCore'), local],
    [vscode.l10n.t('Endpoint'), endpoint],
    [vscode.l10n.t('Endpoint URL'), endpointUrl],
    [vscode.l10n.t('Profile'), entry.profile],
    [vscode.l10n.t('Role'), role?.arns.join(' → ')],
    [vscode.l10n.t('Identity'), identity && formatIdentity(identity)],
    [vscode.l10n.t('Account'), identity?.account],
    [vscode.l10n.t('Authorization'), authorization.kind === 'iam' ? undefined : authorization.kind],
    [vscode.l10n.t('Session mode'), entry.sessionMode],
    [vscode.l10n.t('Policy'), entry.policy],
  ]);
}

/** The description of a place: number of results and their age. */
export function formatScopeDescription(
  found: DiscoveredScope | undefined,
  isLooking: boolean,
  now: number,
): string {
  const { runtimes, gateways, problems = [] } = found ?? {};
  const readAt = [runtimes, gateways].flatMap((one) => (one ? [Date.parse(one.readAt)] : []));
  const count = (runtimes?.items.length ?? 0) + (gateways?.items.length ?? 0);
  const age = Math.max(now - Math.min(...readAt), 0);
  return [
    isLooking && vscode.l10n.t('looking'),
    readAt.length > 0 && vscode.l10n.t('{0} found', count),
    readAt.length > 0 && !isLooking && vscode.l10n.t('{0} ago', formatDuration(age)),
    problems.length > 0 &&
      (problems.length === 1
        ? vscode.l10n.t('1 problem')
        : vscode.l10n.t('{0} problems', problems.length)),
  ]
    .filter(Boolean)
    .join(' · ');
}

/** Example: `MCP · IAM · ready`. */
export function formatDiscoveredDescription(
  target: DiscoveredRuntime | DiscoveredGateway,
  isConfigured: boolean,
): string {
  const status = target.status.toLowerCase().replaceAll('_', ' ');
  return [getCallability(target).kind, status, isConfigured && vscode.l10n.t('set up')]
    .filter(Boolean)
    .join(' · ');
}

export function createDiscoveredTooltip(
  target: DiscoveredRuntime | DiscoveredGateway,
): vscode.MarkdownString {
  const { kind, sentence } = getCallability(target);
  const ofRuntime = target.kind === 'runtime' ? target : undefined;
  const lifecycle = ofRuntime?.lifecycle;
  const seconds = (value: number | undefined) =>
    value === undefined ? undefined : formatDuration(value * 1000);
  return createTooltip(
    target.name,
    [
      [vscode.l10n.t('Kind'), kind],
      [vscode.l10n.t('Status'), target.status],
      [vscode.l10n.t('Version'), ofRuntime?.version],
      [vscode.l10n.t('ARN'), target.arn],
      [vscode.l10n.t('URL'), target.kind === 'gateway' ? target.url : undefined],
      [vscode.l10n.t('Description'), target.description],
      [vscode.l10n.t('Network'), ofRuntime?.networkMode],
      [vscode.l10n.t('Idle timeout'), seconds(lifecycle?.idleTimeout)],
      [vscode.l10n.t('Longest session'), seconds(lifecycle?.maxLifetime)],
      [vscode.l10n.t('Identity provider'), target.jwt?.discoveryUrl],
    ],
    [sentence],
  );
}

/** Returns `Reader` for `arn:aws:iam::123456789012:role/team/Reader`. */
function getRoleName(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
