import * as vscode from 'vscode';
import type { AssumeRole } from '../../aws/credentials/options.ts';
import type { DiscoveryScope, Problem } from '../../aws/discovery/model.ts';
import { getScopeKey } from '../../aws/discovery/scopes.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import type { Environment } from '../../base/environment.ts';
import { type ChosenScopes, chooseScopes, type DiscoveryModel } from '../models/discovery-model.ts';
import type { IdentitiesModel } from '../models/identities-model.ts';
import type { ServersModel } from '../models/servers-model.ts';
import {
  createConfiguredNode,
  type DiscoveredNode,
  type RuntimeNode,
  type ScopeNode,
} from '../models/tree-nodes.ts';
import { Contexts, Views } from '../settings/contributions.ts';
import type { EntryRole } from '../settings/runtime-entry.ts';
import type { RuntimeStore } from '../settings/runtime-store.ts';
import { getTargetArn } from '../settings/server-environment.ts';
import { readDiscoverySettings } from '../settings/window-settings.ts';
import { createRuntimeItem } from './runtime-tree-items.ts';

/** Refresh interval for running servers and ages in milliseconds, while the view is visible. */
const POLL_INTERVAL_MS = 5_000;

/** Debounce in milliseconds, after a change of a model. */
const DEBOUNCE_MS = 100;

/** The view "Runtimes": configured runtimes, invalid entries and discovered runtimes. */
export class RuntimesView implements vscode.TreeDataProvider<RuntimeNode>, vscode.Disposable {
  readonly #store: RuntimeStore;
  readonly #running: ServersModel;
  readonly #discoveries: DiscoveryModel;
  readonly #identities: IdentitiesModel;
  readonly #env: () => Environment;
  readonly #onShow: () => void;
  readonly #changed = new vscode.EventEmitter<RuntimeNode | undefined>();
  readonly #view: vscode.TreeView<RuntimeNode>;
  readonly #subscriptions: vscode.Disposable[];
  /**
   * The node of each scope. It is reused, because VS Code identifies an item by its node object.
   */
  readonly #placeNodes = new Map<string, ScopeNode>();
  #choosing: Promise<ChosenScopes> | undefined;
  #places: ChosenScopes | undefined;
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(parts: {
    readonly store: RuntimeStore;
    readonly running: ServersModel;
    readonly discoveries: DiscoveryModel;
    readonly identities: IdentitiesModel;
    readonly env: () => Environment;
    /** Called each time the view becomes visible. */
    readonly onShow: () => void;
  }) {
    this.#store = parts.store;
    this.#running = parts.running;
    this.#discoveries = parts.discoveries;
    this.#identities = parts.identities;
    this.#env = parts.env;
    this.#onShow = parts.onShow;
    this.#view = vscode.window.createTreeView(Views.runtimes, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#store.onDidChange(() => this.#choose()),
      this.#running.onDidChange(() => this.#settle()),
      this.#identities.onDidChange(() => this.#settle()),
      this.#discoveries.onDidChange((place) => this.#tell(place)),
      this.#view.onDidChangeVisibility(({ visible }) => this.#follow(visible)),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration('agentcore.discovery')) this.#choose();
      }),
    ];
    this.#tellContexts();
    this.#follow(this.#view.visible);
  }

  getTreeItem(node: RuntimeNode): vscode.TreeItem {
    return createRuntimeItem(node, {
      placeOf: (name) => this.#running.getRunningPlace(name),
      identityOf: ({ entry: { profile, role } }) =>
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
    const { places } = await this.#choosePlaces();
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
    this.#choose();
  }

  dispose(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  #roots(): RuntimeNode[] {
    const { entries, problems } = this.#store;
    const chosen = this.#places;
    // Show the entries immediately, without waiting for the profile files.
    if (!chosen) void this.#choosePlaces().then(() => this.#settle());
    return [
      ...entries.map(createConfiguredNode),
      ...problems.map((problem) => ({ kind: 'broken' as const, problem })),
      ...(chosen?.places ?? []).map((place) => this.#placeNode(place)),
      ...(chosen?.problems ?? []).map(createProblemNode),
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

  /**
   * Returns the scopes to discover. Chooses them on first use and after each change. Never rejects.
   */
  #choosePlaces(): Promise<ChosenScopes> {
    if (this.#choosing) return this.#choosing;
    const choice = { ...readDiscoverySettings(), entries: this.#store.entries };
    const choosing = chooseScopes(choice, this.#env()).then((places) => {
      if (this.#choosing === choosing) this.#places = places;
      return places;
    });
    this.#choosing = choosing;
    return choosing;
  }

  #placeNode(place: DiscoveryScope): ScopeNode {
    const key = getScopeKey(place);
    const node = this.#placeNodes.get(key) ?? { kind: 'place', place };
    this.#placeNodes.set(key, node);
    return node;
  }

  #choose(): void {
    this.#choosing = undefined;
    this.#places = undefined;
    this.#placeNodes.clear();
    this.#tellContexts();
    this.#settle();
  }

  #tellContexts(): void {
    const { entries, problems } = this.#store;
    setContext(Contexts.hasRuntimes, entries.length > 0);
    setContext(Contexts.settingsAreBroken, problems.length > 0);
    this.#view.badge =
      problems.length > 0
        ? { value: problems.length, tooltip: problems.map(({ sentence }) => sentence).join('\n') }
        : undefined;
  }

  #tell(place: DiscoveryScope): void {
    const identity = this.#discoveries.found(place)?.identity;
    const { profile, assumeRole } = place;
    if (identity)
      this.#identities.learn({ profile, role: assumeRole && toEntryRole(assumeRole) }, identity);
    const node = this.#placeNodes.get(getScopeKey(place));
    if (node) this.#changed.fire(node);
  }

  #usualProfile(): string | undefined {
    return getEnvironmentProfile(this.#env());
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#changed.fire(undefined);
    }, DEBOUNCE_MS);
  }

  /** Refreshes the running servers while the view is visible. */
  #follow(isVisible: boolean): void {
    clearInterval(this.#timer);
    if (!isVisible) return;
    this.#onShow();
    void this.#running.refresh();
    this.#timer = setInterval(() => void this.#running.refresh(), POLL_INTERVAL_MS);
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
