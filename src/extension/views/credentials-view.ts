import * as vscode from 'vscode';
import type { LoginStatus } from '../../aws/sso/token-cache.ts';
import { Debouncer } from '../../base/async.ts';
import { getErrorMessage } from '../../base/errors.ts';
import { formatDuration, formatTime, sanitizeForTerminal } from '../../base/format.ts';
import type { IdentitiesModel, KnownIdentity } from '../models/identities-model.ts';
import type {
  CredentialNode,
  CredentialProblemNode,
  IdentityNode,
  ProfileNode,
  ProfilesModel,
  RoleNode,
  SsoNode,
} from '../models/profiles-model.ts';
import { Contexts, Views } from '../settings/contributions.ts';
import { createTooltip, formatExpiry, formatIdentity, formatProfileKind } from '../ui/labels.ts';

/** Debounce in milliseconds, after a change of the identities. */
const DEBOUNCE_MS = 100;

/** The view "Credentials": the sources of credentials and the caller identity of each. */
export class CredentialsView implements vscode.TreeDataProvider<CredentialNode>, vscode.Disposable {
  readonly #profiles: ProfilesModel;
  readonly #identities: IdentitiesModel;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #view: vscode.TreeView<CredentialNode>;
  readonly #subscriptions: readonly vscode.Disposable[];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(parts: {
    readonly profiles: ProfilesModel;
    readonly identities: IdentitiesModel;
  }) {
    const { profiles, identities } = parts;
    this.#profiles = profiles;
    this.#identities = identities;
    const render = () => this.#changed.fire(undefined);
    const soon = new Debouncer(render, DEBOUNCE_MS);
    this.#view = vscode.window.createTreeView(Views.credentials, { treeDataProvider: this });
    this.#subscriptions = [
      this.#view,
      this.#changed,
      soon,
      profiles.onDidChange(render),
      identities.onDidChange(() => soon.trigger()),
      this.#view.onDidChangeVisibility(({ visible }) => {
        if (!visible) return profiles.stop();
        profiles.follow();
        profiles.start();
      }),
    ];
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

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #roots(): Promise<CredentialNode[]> {
    const nodes = await this.#profiles.ready();
    const hasProfiles = nodes.some(({ kind }) => kind !== 'roles');
    void vscode.commands.executeCommand('setContext', Contexts.hasProfiles, hasProfiles);
    return [...nodes];
  }

  async #createIdentityNode(profile: string | undefined): Promise<CredentialNode> {
    const { identity, failure } = await this.#identities.ask({ profile });
    if (!identity) return { kind: 'problem', failure };
    return { kind: 'identity', profile, identity, arn: identity.arn };
  }
}

/** Internal command of a problem item: shows the error. */
export const SHOW_FAILURE = '_agentcore.showFailure';

const { None, Collapsed } = vscode.TreeItemCollapsibleState;

export function createCredentialItem(
  node: CredentialNode,
  known: (profile: string | undefined) => KnownIdentity | undefined,
  now: number,
): vscode.TreeItem {
  switch (node.kind) {
    case 'sso':
      return createSsoItem(node, now);
    case 'profile':
      return createProfileItem(node, known(node.profile.name), now);
    case 'environment': {
      const item = new vscode.TreeItem(vscode.l10n.t('Environment'), Collapsed);
      item.id = 'environment';
      item.iconPath = new vscode.ThemeIcon('symbol-variable');
      item.contextValue = 'environment';
      return setDescription(item, [
        vscode.l10n.t('access key'),
        formatKnownIdentity(known(undefined), now),
      ]);
    }
    case 'roles': {
      const item = new vscode.TreeItem(vscode.l10n.t('Roles'), Collapsed);
      item.id = 'roles';
      item.iconPath = new vscode.ThemeIcon('organization');
      item.contextValue = 'roles';
      return setDescription(item, [vscode.l10n.t('{0} to assume', node.roles.length)]);
    }
    case 'role':
      return createRoleItem(node);
    case 'identity':
      return createIdentityItem(node, now);
    case 'problem':
      return createProblemItem(node);
  }
}

function createSsoItem({ session, status }: SsoNode, now: number): vscode.TreeItem {
  const name = session.name ?? session.startUrl;
  const item = new vscode.TreeItem(sanitizeForTerminal(name));
  item.id = `sso ${name}`;
  item.contextValue = `sso;${getLoginState(status)}`;
  item.iconPath = new vscode.ThemeIcon(
    getLoginState(status) === 'signedIn'
      ? 'pass'
      : getLoginState(status) === 'expired'
        ? 'warning'
        : 'sign-in',
  );
  item.tooltip = createTooltip(name, [
    [vscode.l10n.t('State'), formatLogin(status, now)],
    [vscode.l10n.t('Start URL'), session.startUrl],
    [vscode.l10n.t('Region'), session.region],
  ]);
  return setDescription(item, [vscode.l10n.t('SSO session'), formatLogin(status, now)]);
}

function getLoginState({ state }: LoginStatus): 'signedIn' | 'expired' | 'signedOut' {
  switch (state) {
    case 'signed-in':
    case 'refreshable':
      return 'signedIn';
    case 'expired':
      return 'expired';
    case 'signed-out':
      return 'signedOut';
  }
}

/** Formats the state of a login. Example: `signed in, renewed in 50 m`. */
export function formatLogin(status: LoginStatus, now: number): string {
  switch (status.state) {
    case 'signed-out':
      return vscode.l10n.t('signed out');
    case 'expired':
      return vscode.l10n.t(
        'expired {0} ago',
        formatDuration(Math.max(now - status.until.getTime(), 0)),
      );
    case 'refreshable':
      return vscode.l10n.t('signed in, renewed when it is used');
    case 'signed-in': {
      const left = formatDuration(Math.max(status.until.getTime() - now, 0));
      return status.isRefreshable
        ? vscode.l10n.t('signed in, renewed in {0}', left)
        : vscode.l10n.t('signed in, ends in {0}', left);
    }
  }
}

function createProfileItem(
  { profile }: ProfileNode,
  known: KnownIdentity | undefined,
  now: number,
): vscode.TreeItem {
  const { name, kind, problem } = profile;
  const item = new vscode.TreeItem(
    sanitizeForTerminal(name),
    problem === undefined ? Collapsed : None,
  );
  item.id = `profile ${name}`;
  item.contextValue = `profile;${problem === undefined ? kind : 'broken'}`;
  item.iconPath = new vscode.ThemeIcon(problem === undefined ? 'account' : 'error');
  item.tooltip = createTooltip(
    name,
    [
      [vscode.l10n.t('Kind'), formatProfileKind(kind)],
      [vscode.l10n.t('Region'), profile.region],
      [vscode.l10n.t('SSO session'), profile.ssoSession],
      [vscode.l10n.t('Role'), profile.roleArn],
      [vscode.l10n.t('Source profile'), profile.sourceProfile],
      [vscode.l10n.t('MFA device'), profile.mfaSerial],
      [vscode.l10n.t('Identity'), known?.identity?.arn],
    ],
    problem === undefined ? [] : [vscode.l10n.t('It cannot be used, because it {0}', problem)],
  );
  return setDescription(item, [
    formatProfileKind(kind),
    profile.region,
    problem ?? formatKnownIdentity(known, now),
  ]);
}

/** Formats the cached identity of a profile. `undefined` if there is none. */
function formatKnownIdentity(known: KnownIdentity | undefined, now: number): string | undefined {
  if (!known) return undefined;
  const { identity } = known;
  if (!identity) return vscode.l10n.t('does not work');
  return [identity.account, formatExpiry(identity.expiresAt, now)].filter(Boolean).join(' · ');
}

function createIdentityItem(
  { identity, profile, arn }: IdentityNode,
  now: number,
): vscode.TreeItem {
  const item = new vscode.TreeItem(sanitizeForTerminal(formatIdentity(identity)));
  item.id = `identity ${profile ?? ''}\n${arn}`;
  item.contextValue = 'identity';
  item.iconPath = new vscode.ThemeIcon('key');
  item.tooltip = createTooltip(formatIdentity(identity), [
    [vscode.l10n.t('Account'), identity.account],
    [vscode.l10n.t('ARN'), identity.arn],
    [vscode.l10n.t('Region'), identity.region],
    [vscode.l10n.t('Credentials'), identity.source],
    [vscode.l10n.t('Expiry'), identity.expiresAt && formatTime(identity.expiresAt)],
  ]);
  return setDescription(item, [
    identity.account,
    identity.region ?? vscode.l10n.t('no region'),
    formatExpiry(identity.expiresAt, now),
  ]);
}

function createRoleItem({ role }: RoleNode): vscode.TreeItem {
  const { arn, name, sessionName, sourceProfile, chain = [], mfaSerial, lastUsedAt } = role;
  const short = arn.slice(arn.lastIndexOf('/') + 1);
  const item = new vscode.TreeItem(sanitizeForTerminal(name ?? short));
  item.contextValue = 'role';
  item.iconPath = new vscode.ThemeIcon('person');
  item.tooltip = createTooltip(name ?? short, [
    [vscode.l10n.t('ARN'), [...chain, arn].join(' → ')],
    [vscode.l10n.t('Session name'), sessionName],
    [vscode.l10n.t('Source profile'), sourceProfile],
    [vscode.l10n.t('MFA device'), mfaSerial],
    [vscode.l10n.t('Last used'), lastUsedAt && formatTime(lastUsedAt)],
  ]);
  return setDescription(item, [
    name === undefined ? undefined : short,
    arn.split(':')[4],
    sourceProfile && vscode.l10n.t('with {0}', sourceProfile),
  ]);
}

function createProblemItem({ failure }: CredentialProblemNode): vscode.TreeItem {
  const sentence = sanitizeForTerminal(getErrorMessage(failure));
  const item = new vscode.TreeItem(sentence);
  item.contextValue = 'problem';
  item.iconPath = new vscode.ThemeIcon('warning');
  item.tooltip = sentence;
  item.command = {
    command: SHOW_FAILURE,
    title: vscode.l10n.t('Show Problem'),
    arguments: [failure],
  };
  item.accessibilityInformation = { label: vscode.l10n.t('Problem: {0}', sentence) };
  return item;
}

function setDescription(
  item: vscode.TreeItem,
  words: readonly (string | undefined)[],
): vscode.TreeItem {
  const description = sanitizeForTerminal(words.filter(Boolean).join(' · '));
  item.description = description;
  item.accessibilityInformation = { label: [item.label, description].filter(Boolean).join(', ') };
  return item;
}
