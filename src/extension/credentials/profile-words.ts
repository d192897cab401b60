import * as vscode from 'vscode';
import type { ProfileKind } from '../../aws/credentials/profiles.ts';

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

/** Contains no shell command, because each message with this text has a sign-in button. */
export function formatMissingLogin(profile: string): string {
  return vscode.l10n.t('The login of profile "{0}" is missing or has expired', profile);
}
