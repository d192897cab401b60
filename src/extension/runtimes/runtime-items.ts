import * as vscode from 'vscode';
import type { DiscoveredPlace } from '../../aws/discovery/discovered-place.ts';
import type { Place } from '../../aws/discovery/place.ts';
import { placeName } from '../../aws/discovery/place-name.ts';
import { usableAs } from '../../aws/discovery/usable-as.ts';
import { printable } from '../../sessions/session-words.ts';
import { Commands } from '../contributions.ts';
import type { KnownIdentity } from '../credentials/identities.ts';
import { factsText } from '../facts-text.ts';
import type { RunningPlace } from '../servers/running-servers.ts';
import {
  type BrokenNode,
  type ConfiguredNode,
  type DiscoveredNode,
  type EndpointNode,
  type PlaceNode,
  type ProblemNode,
  placeKey,
  type RuntimeNode,
} from './runtime-node.ts';
import {
  discoveredDescription,
  discoveredTooltip,
  entryDescription,
  entryTooltip,
  placeDescription,
} from './runtime-words.ts';

/** Internal command of a problem item: shows the problem. */
export const SHOW_PROBLEM = '_agentcore.showProblem';

/** The state that an item displays besides its node. */
export interface Surroundings {
  readonly placeOf: (name: string) => RunningPlace | undefined;
  readonly identityOf: (node: ConfiguredNode) => KnownIdentity | undefined;
  readonly found: (place: Place) => DiscoveredPlace | undefined;
  readonly isLooking: (place: Place) => boolean;
  readonly isConfigured: (arn: string) => boolean;
  readonly now: number;
}

export function runtimeItem(node: RuntimeNode, around: Surroundings): vscode.TreeItem {
  switch (node.kind) {
    case 'configured':
      return configuredItem(node, around);
    case 'broken':
      return brokenItem(node);
    case 'place':
      return placeItem(node, around);
    case 'discovered':
      return discoveredItem(node, around);
    case 'endpoint':
      return endpointItem(node);
    case 'problem':
      return problemItem(node);
    case 'nothing': {
      const label = vscode.l10n.t('No runtimes or gateways');
      return described(new vscode.TreeItem(label), placeName(node.place));
    }
  }
}

function configuredItem(node: ConfiguredNode, around: Surroundings): vscode.TreeItem {
  const { entry } = node;
  const place = around.placeOf(entry.name);
  const item = new vscode.TreeItem(entry.name);
  item.id = `configured ${entry.name}`;
  item.tooltip = entryTooltip(entry, place, around.identityOf(node));
  item.iconPath = new vscode.ThemeIcon(place === undefined ? 'circle-outline' : 'vm-running');
  // A server of another window can also be started in this one.
  item.contextValue = place === 'here' ? 'configured;running' : 'configured;stopped';
  return described(item, entryDescription(entry, place));
}

function brokenItem(node: BrokenNode): vscode.TreeItem {
  const { index, name, reason, sentence } = node.problem;
  const label = name === undefined ? vscode.l10n.t('Runtime {0}', index + 1) : printable(name);
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
  return described(item, vscode.l10n.t('cannot be used: {0}', reason));
}

function placeItem({ place }: PlaceNode, around: Surroundings): vscode.TreeItem {
  const found = around.found(place);
  const item = new vscode.TreeItem(placeName(place), vscode.TreeItemCollapsibleState.Collapsed);
  item.id = `place ${placeKey(place)}`;
  item.iconPath = new vscode.ThemeIcon('cloud');
  item.contextValue = 'place';
  item.tooltip = factsText(placeName(place), [
    [vscode.l10n.t('Account'), found?.identity?.account],
    [vscode.l10n.t('Identity'), found?.identity?.arn],
    [vscode.l10n.t('Region'), place.region],
  ]);
  return described(item, placeDescription(found, around.isLooking(place), around.now));
}

function discoveredItem({ place, target }: DiscoveredNode, around: Surroundings): vscode.TreeItem {
  const { asServer } = usableAs(target);
  const hasEndpoints = target.kind === 'runtime' && (target.endpoints?.length ?? 0) > 0;
  const item = new vscode.TreeItem(
    printable(target.name),
    hasEndpoints ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
  );
  item.id = `discovered ${placeKey(place)} ${target.arn}`;
  item.tooltip = discoveredTooltip(target);
  item.iconPath = new vscode.ThemeIcon(
    target.kind === 'gateway' ? 'plug' : asServer === 'no' ? 'circle-slash' : 'server',
  );
  const isUsable = asServer === 'yes' || asServer === 'token';
  item.contextValue = isUsable ? 'discovered;usable' : 'discovered;other';
  return described(item, discoveredDescription(target, around.isConfigured(target.arn)));
}

function endpointItem({ runtime, endpoint }: EndpointNode): vscode.TreeItem {
  const item = new vscode.TreeItem(printable(endpoint.name));
  item.id = `endpoint ${placeKey(runtime.place)} ${endpoint.arn}`;
  item.iconPath = new vscode.ThemeIcon('link');
  item.contextValue = 'endpoint';
  const { liveVersion, targetVersion, status } = endpoint;
  const words = [
    liveVersion ? vscode.l10n.t('version {0}', liveVersion) : vscode.l10n.t('no version yet'),
    targetVersion && vscode.l10n.t('{0} is coming', targetVersion),
    status.toLowerCase().replaceAll('_', ' '),
  ];
  item.tooltip = endpoint.arn;
  return described(item, words.filter(Boolean).join(' · '));
}

function problemItem({ problem }: ProblemNode): vscode.TreeItem {
  const item = new vscode.TreeItem(printable(problem.sentence));
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
function described(item: vscode.TreeItem, words: string): vscode.TreeItem {
  const description = printable(words);
  item.description = description;
  item.accessibilityInformation = {
    label: [item.label, description].filter(Boolean).join(', '),
  };
  return item;
}
