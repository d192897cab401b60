import * as vscode from 'vscode';
import type { Identity } from '../../aws/credentials/caller-identity.ts';
import { formatDuration } from '../../base/format.ts';

/** Formats an identity. Example: `role Reader (alice)`. */
export function formatIdentity({ kind, name, sessionName, arn }: Identity): string {
  switch (kind) {
    case 'root':
      return vscode.l10n.t('the root user');
    case 'user':
      return vscode.l10n.t('user {0}', name);
    case 'federated-user':
      return vscode.l10n.t('federated user {0}', name);
    case 'role':
      return sessionName
        ? vscode.l10n.t('role {0} ({1})', name, sessionName)
        : vscode.l10n.t('role {0}', name);
    case 'unknown':
      return arn;
  }
}

/**
 * Formats an expiry. Examples: `expires in 50 m`, `expired`. Returns `undefined` if there is none.
 */
export function formatExpiry(
  expiresAt: string | Date | undefined,
  now: number,
): string | undefined {
  if (expiresAt === undefined) return undefined;
  const left = new Date(expiresAt).getTime() - now;
  return left > 0
    ? vscode.l10n.t('expires in {0}', formatDuration(left))
    : vscode.l10n.t('expired');
}
