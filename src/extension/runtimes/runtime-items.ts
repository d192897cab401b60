import * as vscode from 'vscode';
import { getCallability } from '../../aws/discovery/callability.ts';
import type { DiscoveredScope } from '../../aws/discovery/discovery.ts';
import type { DiscoveryScope } from '../../aws/discovery/model.ts';
import { formatScopeName, getScopeKey } from '../../aws/discovery/scopes.ts';
import { sanitizeForTerminal } from '../../base/format.ts';
import { Commands } from '../contributions.ts';
import type { KnownIdentity } from '../credentials/identities.ts';
import { createTooltip } from '../facts-text.ts';
import type { RunningPlace } from '../servers/running-servers.ts';
import type {
  BrokenNode,
  ConfiguredNode,
  DiscoveredNode,
  EndpointNode,
  ProblemNode,
  RuntimeNode,
  ScopeNode,
} from './runtime-node.ts';
import {
  createDiscoveredTooltip,
  createEntryTooltip,
  formatDiscoveredDescription,
  formatEntryDescription,
  formatScopeDescription,
} from './runtime-words.ts';

/** Internal command of a problem item: shows the problem. */
export const SHOW_PROBLEM = '_agentcore.showProblem';

/** The state that an item displays besides its node. */
interface Surroundings {
  readonly placeOf: (name: string) => RunningPlace | undefined;
  readonly identityOf: (node: ConfiguredNode) => KnownIdentity | undefined;
  readonly found: (place: DiscoveryScope) => DiscoveredScope | undefined;
  readonly isLooking: (place: DiscoveryScope) => boolean;
  readonly isConfigured: (arn: string) => boolean;
  readonly now: number;
}

export function createRuntimeItem(node: RuntimeNode, around: Surroundings): vscode.TreeItem {
  switch (node.kind) {
    case 'configured':
      return createConfiguredItem(node, around);
    case 'broken':
      return createBrokenItem(node);
    case 'place':
      return createScopeItem(node, around);
    case 'discovered':
      return createDiscoveredItem(node, around);
    case 'endpoint':
      return createEndpointItem(node);
    case 'problem':
      return createProblemItem(node);
    case 'nothing': {
      const label = vscode.l10n.t('No runtimes or gateways');
      return setDescription(new vscode.TreeItem(label), formatScopeName(node.place));
    }
  }
}

function createConfiguredItem(node: ConfiguredNode, around: Surroundings): vscode.TreeItem {
  const { entry } = node;
  const place = around.placeOf(entry.name);
  const item = new vscode.TreeItem(entry.name);
  item.id = `configured ${entry.name}`;
  item.tooltip = createEntryTooltip(entry, place, around.identityOf(node));
  item.iconPath = new vscode.ThemeIcon(place === undefined ? 'circle-outline' : 'vm-running');
  // A server of another window can also be started in this one.
  item.contextValue = place === 'here' ? 'configured;running' : 'configured;stopped';
  return setDescription(item, formatEntryDescription(entry, place));
}

function createBrokenItem(node: BrokenNode): vscode.TreeItem {
  const { index, name, reason, sentence } = node.problem;
  const label =
    name === undefined ? vscode.l10n.t('Runtime {0}', index + 1) : sanitizeForTerminal(name);
  const item = new vscode.TreeItem(label);
  item.id = `broken ${index}`;
  item.tooltip = sentence;
  item.iconPath = new vscode.ThemeIcon('error');
  item.contextValue = 'broken';
  item.command = {
    command: Commands.openSettings,
    title: vscode.l10n.t('Open Settings'),
    arguments: [node],
  };
  return setDescription(item, vscode.l10n.t('cannot be used: {0}', reason));
}

function createScopeItem({ place }: ScopeNode, around: Surroundings): vscode.TreeItem {
  const found = around.found(place);
  const item = new vscode.TreeItem(
    formatScopeName(place),
    vscode.TreeItemCollapsibleState.Collapsed,
  );
  item.id = `place ${getScopeKey(place)}`;
  item.iconPath = new vscode.ThemeIcon('cloud');
  item.contextValue = 'place';
  item.tooltip = createTooltip(formatScopeName(place), [
    [vscode.l10n.t('Account'), found?.identity?.account],
    [vscode.l10n.t('Identity'), found?.identity?.arn],
    [vscode.l10n.t('Region'), place.region],
  ]);
  return setDescription(item, formatScopeDescription(found, around.isLooking(place), around.now));
}

function createDiscoveredItem(
  { place, target }: DiscoveredNode,
  around: Surroundings,
): vscode.TreeItem {
  const { asServer } = getCallability(target);
  const hasEndpoints = target.kind === 'runtime' && (target.endpoints?.length ?? 0) > 0;
  const item = new vscode.TreeItem(
    sanitizeForTerminal(target.name),
    hasEndpoints ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
  );
  item.id = `discovered ${getScopeKey(place)} ${target.arn}`;
  item.tooltip = createDiscoveredTooltip(target);
  item.iconPath = new vscode.ThemeIcon(
    target.kind === 'gateway' ? 'plug' : asServer === 'no' ? 'circle-slash' : 'server',
  );
  const isUsable = asServer === 'yes' || asServer === 'token';
  item.contextValue = isUsable ? 'discovered;usable' : 'discovered;other';
  return setDescription(item, formatDiscoveredDescription(target, around.isConfigured(target.arn)));
}

function createEndpointItem({ runtime, endpoint }: EndpointNode): vscode.TreeItem {
  const item = new vscode.TreeItem(sanitizeForTerminal(endpoint.name));
  item.id = `endpoint ${getScopeKey(runtime.place)} ${endpoint.arn}`;
  item.iconPath = new vscode.ThemeIcon('link');
  item.contextValue = 'endpoint';
  const { liveVersion, targetVersion, status } = endpoint;
  const words = [
    liveVersion ? vscode.l10n.t('version {0}', liveVersion) : vscode.l10n.t('no version yet'),
    targetVersion && vscode.l10n.t('{0} is coming', targetVersion),
    status.toLowerCase().replaceAll('_', ' '),
  ];
  item.tooltip = endpoint.arn;
  return setDescription(item, words.filter(Boolean).join(' · '));
}

function createProblemItem({ problem }: ProblemNode): vscode.TreeItem {
  const item = new vscode.TreeItem(sanitizeForTerminal(problem.sentence));
  item.iconPath = new vscode.ThemeIcon('warning');
  item.contextValue = 'problem';
  item.tooltip = problem.sentence;
  item.command = {
    command: SHOW_PROBLEM,
    title: vscode.l10n.t('Show Problem'),
    arguments: [problem],
  };
  item.accessibilityInformation = { label: vscode.l10n.t('Problem: {0}', problem.sentence) };
  return item;
}

/** The description is also the label for screen readers. */
function setDescription(item: vscode.TreeItem, words: string): vscode.TreeItem {
  const description = sanitizeForTerminal(words);
  item.description = description;
  item.accessibilityInformation = {
    label: [item.label, description].filter(Boolean).join(', '),
  };
  return item;
}
