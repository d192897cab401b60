import * as vscode from 'vscode';
import type { LoginStatus } from '../../aws/sso/status.ts';
import { messageOf } from '../../error.ts';
import { formatDuration, formatTime, printable } from '../../sessions/session-words.ts';
import { factsText } from '../facts-text.ts';
import type {
  CredentialNode,
  CredentialProblemNode,
  IdentityNode,
  ProfileNode,
  RoleNode,
  SsoNode,
} from './credential-node.ts';
import type { KnownIdentity } from './identities.ts';
import { expiryWords, identityWords } from './identity-words.ts';
import { kindWords } from './profile-words.ts';

/** Internal command of a problem item: shows the problem. */
export const SHOW_FAILURE = '_agentcore.showFailure';

const { None, Collapsed } = vscode.TreeItemCollapsibleState;

export function credentialItem(
  node: CredentialNode,
  known: (profile: string | undefined) => KnownIdentity | undefined,
  now: number,
): vscode.TreeItem {
  switch (node.kind) {
    case 'sso':
      return ssoItem(node, now);
    case 'profile':
      return profileItem(node, known(node.profile.name), now);
    case 'environment': {
      const item = new vscode.TreeItem(vscode.l10n.t('Environment'), Collapsed);
      item.id = 'environment';
      item.iconPath = new vscode.ThemeIcon('symbol-variable');
      item.contextValue = 'environment';
      return described(item, [vscode.l10n.t('access key'), knownWords(known(undefined), now)]);
    }
    case 'roles': {
      const item = new vscode.TreeItem(vscode.l10n.t('Roles'), Collapsed);
      item.id = 'roles';
      item.iconPath = new vscode.ThemeIcon('organization');
      item.contextValue = 'roles';
      return described(item, [vscode.l10n.t('{0} to assume', node.roles.length)]);
    }
    case 'role':
      return roleItem(node);
    case 'identity':
      return identityItem(node, now);
    case 'problem':
      return problemItem(node);
  }
}

function ssoItem({ session, status }: SsoNode, now: number): vscode.TreeItem {
  const name = session.name ?? session.startUrl;
  const item = new vscode.TreeItem(printable(name));
  item.id = `sso ${name}`;
  item.contextValue = `sso;${stateOf(status)}`;
  item.iconPath = new vscode.ThemeIcon(
    stateOf(status) === 'signedIn' ? 'pass' : stateOf(status) === 'expired' ? 'warning' : 'sign-in',
  );
  item.tooltip = factsText(name, [
    [vscode.l10n.t('State'), loginWords(status, now)],
    [vscode.l10n.t('Start URL'), session.startUrl],
    [vscode.l10n.t('Region'), session.region],
  ]);
  return described(item, [vscode.l10n.t('SSO session'), loginWords(status, now)]);
}

function stateOf({ state }: LoginStatus): 'signedIn' | 'expired' | 'signedOut' {
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
export function loginWords(status: LoginStatus, now: number): string {
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

function profileItem(
  { profile }: ProfileNode,
  known: KnownIdentity | undefined,
  now: number,
): vscode.TreeItem {
  const { name, kind, problem } = profile;
  const item = new vscode.TreeItem(printable(name), problem === undefined ? Collapsed : None);
  item.id = `profile ${name}`;
  item.contextValue = `profile;${problem === undefined ? kind : 'broken'}`;
  item.iconPath = new vscode.ThemeIcon(problem === undefined ? 'account' : 'error');
  item.tooltip = factsText(
    name,
    [
      [vscode.l10n.t('Kind'), kindWords(kind)],
      [vscode.l10n.t('Region'), profile.region],
      [vscode.l10n.t('SSO session'), profile.ssoSession],
      [vscode.l10n.t('Role'), profile.roleArn],
      [vscode.l10n.t('Source profile'), profile.sourceProfile],
      [vscode.l10n.t('MFA device'), profile.mfaSerial],
      [vscode.l10n.t('Identity'), known?.identity?.arn],
    ],
    problem === undefined ? [] : [vscode.l10n.t('It cannot be used, because it {0}', problem)],
  );
  return described(item, [kindWords(kind), profile.region, problem ?? knownWords(known, now)]);
}

/** The result of an earlier identity check. */
function knownWords(known: KnownIdentity | undefined, now: number): string | undefined {
  if (!known) return undefined;
  const { identity } = known;
  if (!identity) return vscode.l10n.t('does not work');
  return [identity.account, expiryWords(identity.expiresAt, now)].filter(Boolean).join(' · ');
}

function identityItem({ identity, profile, arn }: IdentityNode, now: number): vscode.TreeItem {
  const item = new vscode.TreeItem(printable(identityWords(identity)));
  item.id = `identity ${profile ?? ''}\n${arn}`;
  item.contextValue = 'identity';
  item.iconPath = new vscode.ThemeIcon('key');
  item.tooltip = factsText(identityWords(identity), [
    [vscode.l10n.t('Account'), identity.account],
    [vscode.l10n.t('ARN'), identity.arn],
    [vscode.l10n.t('Region'), identity.region],
    [vscode.l10n.t('Credentials'), identity.source],
    [vscode.l10n.t('Expiry'), identity.expiresAt && formatTime(identity.expiresAt)],
  ]);
  return described(item, [
    identity.account,
    identity.region ?? vscode.l10n.t('no region'),
    expiryWords(identity.expiresAt, now),
  ]);
}

function roleItem({ role }: RoleNode): vscode.TreeItem {
  const { arn, name, sessionName, sourceProfile, chain = [], mfaSerial, lastUsedAt } = role;
  const short = arn.slice(arn.lastIndexOf('/') + 1);
  const item = new vscode.TreeItem(printable(name ?? short));
  item.contextValue = 'role';
  item.iconPath = new vscode.ThemeIcon('person');
  item.tooltip = factsText(name ?? short, [
    [vscode.l10n.t('ARN'), [...chain, arn].join(' → ')],
    [vscode.l10n.t('Session name'), sessionName],
    [vscode.l10n.t('Source profile'), sourceProfile],
    [vscode.l10n.t('MFA device'), mfaSerial],
    [vscode.l10n.t('Last used'), lastUsedAt && formatTime(lastUsedAt)],
  ]);
  return described(item, [
    name === undefined ? undefined : short,
    arn.split(':')[4],
    sourceProfile && vscode.l10n.t('with {0}', sourceProfile),
  ]);
}

function problemItem({ failure }: CredentialProblemNode): vscode.TreeItem {
  const sentence = printable(messageOf(failure));
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

function described(item: vscode.TreeItem, words: readonly (string | undefined)[]): vscode.TreeItem {
  const description = printable(words.filter(Boolean).join(' · '));
  item.description = description;
  item.accessibilityInformation = { label: [item.label, description].filter(Boolean).join(', ') };
  return item;
}
