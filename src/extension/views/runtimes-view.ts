import * as vscode from 'vscode';
import type { AssumeRole } from '../../aws/credentials/options.ts';
import { getCallability } from '../../aws/discovery/callability.ts';
import type { DiscoveredScope } from '../../aws/discovery/discovery.ts';
import type {
  DiscoveredGateway,
  DiscoveredRuntime,
  DiscoveryScope,
  Problem,
} from '../../aws/discovery/model.ts';
import { formatScopeName, getScopeKey } from '../../aws/discovery/scopes.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import { Debouncer } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import { formatDuration, sanitizeForTerminal } from '../../base/format.ts';
import type { WatchedValue } from '../../base/watched-value.ts';
import {
  type ChosenScopes,
  createScopesModel,
  type DiscoveryModel,
} from '../models/discovery-model.ts';
import type { IdentitiesModel, KnownIdentity } from '../models/identities-model.ts';
import type { ProfilesModel } from '../models/profiles-model.ts';
import type { RunningPlace, ServersModel } from '../models/servers-model.ts';
import {
  type BrokenNode,
  type ConfiguredNode,
  createConfiguredNode,
  type DiscoveredNode,
  type EndpointNode,
  type ProblemNode,
  type RuntimeNode,
  type ScopeNode,
} from '../models/tree-nodes.ts';
import { Commands, Contexts, Views } from '../settings/contributions.ts';
import type { EntryRole, RuntimeEntry } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';
import { createTooltip, formatIdentity } from '../ui/labels.ts';

// The view "Runtimes", and the label, description, tooltip and icon of each node.

/** Debounce in milliseconds, after a change of a model. */
const DEBOUNCE_MS = 100;

/** The view "Runtimes": configured runtimes, invalid entries and discovered runtimes. */
export class RuntimesView implements vscode.TreeDataProvider<RuntimeNode>, vscode.Disposable {
  readonly #store: RuntimeStore;
  readonly #running: ServersModel;
  readonly #discoveries: DiscoveryModel;
  readonly #identities: IdentitiesModel;
  readonly #env: () => Environment;
  readonly #scopes: WatchedValue<ChosenScopes>;
  readonly #changed = new vscode.EventEmitter<RuntimeNode | undefined>();
  readonly #view: vscode.TreeView<RuntimeNode>;
  readonly #subscriptions: readonly vscode.Disposable[];
  /**
   * The node of each scope. It is reused, because VS Code identifies an item by its node object.
   */
  #scopeNodes: ReadonlyMap<string, ScopeNode> = new Map();

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(parts: {
    readonly store: RuntimeStore;
    readonly running: ServersModel;
    readonly discoveries: DiscoveryModel;
    readonly identities: IdentitiesModel;
    readonly env: () => Environment;
    readonly profiles: Pick<ProfilesModel, 'follow'>;
  }) {
    const { store, running, discoveries, identities, profiles, env } = parts;
    this.#store = store;
    this.#running = running;
    this.#discoveries = discoveries;
    this.#identities = identities;
    this.#env = env;
    this.#scopes = createScopesModel(store, env);
    const soon = new Debouncer(() => this.#changed.fire(undefined), DEBOUNCE_MS);
    this.#view = vscode.window.createTreeView(Views.runtimes, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#scopes,
      soon,
      store.onDidChange(() => {
        this.#showProblems();
        this.#scopes.invalidate();
        soon.trigger();
      }),
      running.onDidChange(() => soon.trigger()),
      identities.onDidChange(() => soon.trigger()),
      discoveries.onDidChange((place) => this.#showDiscovered(place)),
      this.#scopes.onDidChange(({ places }) => {
        this.#scopeNodes = new Map(
          places.map((place) => [getScopeKey(place), { kind: 'place', place }]),
        );
        soon.trigger();
      }),
      this.#view.onDidChangeVisibility(({ visible }) => {
        if (!visible) return running.stop();
        profiles.follow();
        running.start();
      }),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('agentcore.discovery')) this.#scopes.invalidate();
      }),
    ];
    this.#showProblems();
  }

  getTreeItem(node: RuntimeNode): vscode.TreeItem {
    return createRuntimeItem(node, {
      getRunningPlace: (name) => this.#running.getRunningPlace(name),
      getIdentity: ({ entry: { profile, role } }) =>
        this.#identities.known({ profile: profile ?? this.#usualProfile(), role }),
      found: (place) => this.#discoveries.found(place),
      isLooking: (place) => this.#discoveries.isLooking(place),
      isConfigured: (arn) => this.#store.entries.some((entry) => getBaseArn(entry) === arn),
      now: Date.now(),
    });
  }

  getChildren(node?: RuntimeNode): RuntimeNode[] | Promise<RuntimeNode[]> {
    if (!node) return this.#roots();
    if (node.kind === 'place') return this.#found(node);
    return node.kind === 'discovered' ? createEndpointNodes(node) : [];
  }

  /** Repeats the discovery of each scope with results. */
  async refresh(): Promise<void> {
    const { places } = await this.#scopes.ready();
    const looked = places.filter((place) => this.#discoveries.found(place));
    await Promise.all([
      this.#running.refresh(),
      ...looked.map((place) => this.#discoveries.look(place, { refresh: true })),
    ]);
    this.#changed.fire(undefined);
  }

  /** Sets the message above the tree, for a problem of all servers. */
  set message(sentence: string | undefined) {
    this.#view.message = sentence ?? '';
  }

  /** Drops all results. Call this if the profiles change. */
  reset(): void {
    this.#discoveries.forget();
    this.#scopes.invalidate();
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #roots(): RuntimeNode[] {
    const { entries, problems } = this.#store;
    // Show the entries immediately, without waiting for the profile files.
    void this.#scopes.ready();
    return [
      ...entries.map(createConfiguredNode),
      ...problems.map((problem) => ({ kind: 'broken' as const, problem })),
      ...this.#scopeNodes.values(),
      ...this.#scopes.value.problems.map(createProblemNode),
    ];
  }

  async #found(node: ScopeNode): Promise<RuntimeNode[]> {
    const { place } = node;
    if (!this.#discoveries.found(place)) await this.#discoveries.look(place);
    const { runtimes, gateways, problems = [], isDone } = this.#discoveries.found(place) ?? {};
    const targets = [...(runtimes?.items ?? []), ...(gateways?.items ?? [])];
    if (targets.length === 0 && problems.length === 0 && isDone)
      return [{ kind: 'nothing', place }];
    return [
      ...targets.map((target) => ({
        kind: 'discovered' as const,
        place,
        target,
        arn: target.arn,
      })),
      ...problems.map(createProblemNode),
    ];
  }

  #showProblems(): void {
    const { entries, problems } = this.#store;
    setContext(Contexts.hasRuntimes, entries.length > 0);
    setContext(Contexts.settingsAreBroken, problems.length > 0);
    this.#view.badge =
      problems.length > 0
        ? { value: problems.length, tooltip: problems.map(({ sentence }) => sentence).join('\n') }
        : undefined;
  }

  #showDiscovered(place: DiscoveryScope): void {
    const identity = this.#discoveries.found(place)?.identity;
    const { profile, assumeRole } = place;
    if (identity)
      this.#identities.learn({ profile, role: assumeRole && toEntryRole(assumeRole) }, identity);
    const node = this.#scopeNodes.get(getScopeKey(place));
    if (node) this.#changed.fire(node);
  }

  #usualProfile(): string | undefined {
    return getEnvironmentProfile(this.#env());
  }
}

function createEndpointNodes(runtime: DiscoveredNode): RuntimeNode[] {
  const { target } = runtime;
  if (target.kind !== 'runtime') return [];
  return (target.endpoints ?? []).map((endpoint) => ({
    kind: 'endpoint',
    runtime,
    endpoint,
    arn: endpoint.arn,
  }));
}

/** Converts a role to the form of an entry. */
function toEntryRole({ arn, chain = [], ...role }: AssumeRole): EntryRole {
  const { sessionName, externalId, mfaSerial, sourceIdentity } = role;
  return { arns: [...chain, arn], sessionName, externalId, mfaSerial, sourceIdentity };
}

function createProblemNode(problem: Problem): RuntimeNode {
  return { kind: 'problem', problem };
}

/** The ARN of the runtime or gateway, without an endpoint. */
function getBaseArn(entry: Parameters<typeof getTargetArn>[0]): string | undefined {
  return getTargetArn(entry)?.split('/runtime-endpoint/')[0];
}

function setContext(key: string, value: boolean): void {
  void vscode.commands.executeCommand('setContext', key, value);
}

/** Internal command of a problem item: shows the problem. */
export const SHOW_PROBLEM = '_agentcore.showProblem';

/** The state shown by an item in addition to its node. */
interface ItemState {
  readonly getRunningPlace: (name: string) => RunningPlace | undefined;
  readonly getIdentity: (node: ConfiguredNode) => KnownIdentity | undefined;
  readonly found: (place: DiscoveryScope) => DiscoveredScope | undefined;
  readonly isLooking: (place: DiscoveryScope) => boolean;
  readonly isConfigured: (arn: string) => boolean;
  readonly now: number;
}

export function createRuntimeItem(node: RuntimeNode, around: ItemState): vscode.TreeItem {
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

function createConfiguredItem(node: ConfiguredNode, around: ItemState): vscode.TreeItem {
  const { entry } = node;
  const place = around.getRunningPlace(entry.name);
  const item = new vscode.TreeItem(entry.name);
  item.id = `configured ${entry.name}`;
  item.tooltip = createEntryTooltip(entry, place, around.getIdentity(node));
  item.iconPath = new vscode.ThemeIcon(place === undefined ? 'circle-outline' : 'vm-running');
  // A server that runs in another window can also be started in this one.
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

function createScopeItem({ place }: ScopeNode, around: ItemState): vscode.TreeItem {
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
  around: ItemState,
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
    targetVersion && vscode.l10n.t('updating to version {0}', targetVersion),
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

/** Sets the description, also as the label for screen readers. */
function setDescription(item: vscode.TreeItem, words: string): vscode.TreeItem {
  const description = sanitizeForTerminal(words);
  item.description = description;
  item.accessibilityInformation = {
    label: [item.label, description].filter(Boolean).join(', '),
  };
  return item;
}

/** Formats the state of a server. */
function formatRunningPlace(place: RunningPlace | undefined): string {
  if (place === 'here') return vscode.l10n.t('running');
  if (place === 'elsewhere') return vscode.l10n.t('running in another window');
  return vscode.l10n.t('stopped');
}

/** Formats the description of a configured runtime: state, caller and session mode. */
export function formatEntryDescription(
  entry: RuntimeEntry,
  place: RunningPlace | undefined,
): string {
  return [formatRunningPlace(place), ...formatCaller(entry), entry.sessionMode]
    .filter(Boolean)
    .join(' · ');
}

/**
 * Formats the caller of a runtime. Omits the profile for a token request, because the token
 * identifies the caller.
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
      return [vscode.l10n.t('open to all callers')];
  }
}

/** The details of a configured runtime as Markdown. */
function createEntryTooltip(
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

/** Formats the description of a scope: number of results, their age and problems. */
function formatScopeDescription(
  found: DiscoveredScope | undefined,
  isLooking: boolean,
  now: number,
): string {
  const { runtimes, gateways, problems = [] } = found ?? {};
  const readAt = [runtimes, gateways].flatMap((one) => (one ? [Date.parse(one.readAt)] : []));
  const count = (runtimes?.items.length ?? 0) + (gateways?.items.length ?? 0);
  const age = Math.max(now - Math.min(...readAt), 0);
  return [
    isLooking && vscode.l10n.t('searching'),
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

/** Formats the description of a discovered target. Example: `MCP · IAM · ready`. */
function formatDiscoveredDescription(
  target: DiscoveredRuntime | DiscoveredGateway,
  isConfigured: boolean,
): string {
  const status = target.status.toLowerCase().replaceAll('_', ' ');
  return [getCallability(target).kind, status, isConfigured && vscode.l10n.t('set up')]
    .filter(Boolean)
    .join(' · ');
}

function createDiscoveredTooltip(
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

/** The name of a role: `Reader` for `arn:aws:iam::123456789012:role/team/Reader`. */
function getRoleName(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
