import type { SessionInfo } from '../../sessions/session-info.ts';
import type { PendingApproval } from '../../state/files/approval-files.ts';

/** The nodes of the view "Sessions", also passed to its commands. */
export type SessionNode =
  | { readonly kind: 'approvals'; readonly all: readonly PendingApproval[] }
  | { readonly kind: 'approval'; readonly pending: PendingApproval }
  | { readonly kind: 'session'; readonly entry: SessionInfo }
  | { readonly kind: 'ended'; readonly entries: readonly SessionInfo[] };

export function createSessionNode(entry: SessionInfo): SessionNode {
  return { kind: 'session', entry };
}
