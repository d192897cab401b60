import * as vscode from 'vscode';
import type { Environment } from '../../base/environment.ts';
import { Contexts, Views } from '../contributions.ts';
import { createCredentialItem } from './credential-items.ts';
import type { CredentialNode } from './credential-node.ts';
import { readOverview } from './credential-overview.ts';
import type { IdentitiesModel } from './identities.ts';

/** Refresh interval of logins and countdowns in milliseconds, while the view is visible. */
const POLL_INTERVAL_MS = 15_000;

/** Debounce in milliseconds. */
const DEBOUNCE_MS = 100;

/** The view "Credentials": sources of credentials and the caller identity of each. */
export class CredentialsView implements vscode.TreeDataProvider<CredentialNode>, vscode.Disposable {
  readonly #env: () => Environment;
  readonly #onShow: () => void;
  readonly #identities: IdentitiesModel;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #view: vscode.TreeView<CredentialNode>;
  readonly #subscriptions: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(parts: {
    readonly env: () => Environment;
    readonly identities: IdentitiesModel;
    /** Called each time the view becomes visible. */
    readonly onShow: () => void;
  }) {
    this.#env = parts.env;
    this.#onShow = parts.onShow;
    this.#identities = parts.identities;
    this.#view = vscode.window.createTreeView(Views.credentials, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      this.#identities.onDidChange(() => this.#settle()),
      this.#view.onDidChangeVisibility(({ visible }) => this.#count(visible)),
    ];
    this.#count(this.#view.visible);
  }

  getTreeItem(node: CredentialNode): vscode.TreeItem {
    return createCredentialItem(node, (profile) => this.#identities.known({ profile }), Date.now());
  }

  async getChildren(node?: CredentialNode): Promise<CredentialNode[]> {
    switch (node?.kind) {
      case undefined:
        return this.#roots();
      case 'profile':
        return [await this.#createIdentityNode(node.profile.name)];
      case 'environment':
        return [await this.#createIdentityNode(undefined)];
      case 'roles':
        return node.roles.map((role) => ({ kind: 'role', role, arn: role.arn }));
      default:
        return [];
    }
  }

  /** Reads the files again and drops the cached identities. */
  refresh(): void {
    this.#identities.forget();
  }

  dispose(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #roots(): Promise<CredentialNode[]> {
    const nodes = await readOverview(this.#env());
    const hasProfiles = nodes.some(({ kind }) => kind !== 'roles');
    void vscode.commands.executeCommand('setContext', Contexts.hasProfiles, hasProfiles);
    return [...nodes];
  }

  async #createIdentityNode(profile: string | undefined): Promise<CredentialNode> {
    const { identity, failure } = await this.#identities.ask({ profile });
    if (!identity) return { kind: 'problem', failure };
    return { kind: 'identity', profile, identity, arn: identity.arn };
  }

  #settle(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.#changed.fire(undefined);
    }, DEBOUNCE_MS);
  }

  /** Countdowns run only while the view is visible. */
  #count(isVisible: boolean): void {
    clearInterval(this.#timer);
    if (!isVisible) return;
    this.#onShow();
    this.#settle();
    this.#timer = setInterval(() => this.#settle(), POLL_INTERVAL_MS);
  }
}
