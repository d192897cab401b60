import * as vscode from 'vscode';
import type { AssumeRole } from '../../aws/credentials/options.ts';
import type { DiscoveryScope, Problem } from '../../aws/discovery/model.ts';
import { getScopeKey } from '../../aws/discovery/scopes.ts';
import { getEnvironmentProfile } from '../../aws/shared-config.ts';
import { Debouncer } from '../../base/async.ts';
import type { Environment } from '../../base/environment.ts';
import type { WatchedValue } from '../../base/watched-value.ts';
import {
  type ChosenScopes,
  createScopesModel,
  type DiscoveryModel,
} from '../models/discovery-model.ts';
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
import { createRuntimeItem } from './runtime-tree-items.ts';

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
    /** Called each time the view becomes visible. */
    readonly onShow: () => void;
  }) {
    const { store, running, discoveries, identities, env, onShow } = parts;
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
        onShow();
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
