import type { PendingApproval } from '../../policy/approvals/approvals-folder.ts';
import type { SessionEntry } from '../../sessions/session-book.ts';

/** The nodes of the view "Sessions", also passed to its commands. */
export type SessionNode =
  | { readonly kind: 'approvals'; readonly all: readonly PendingApproval[] }
  | { readonly kind: 'approval'; readonly pending: PendingApproval }
  | { readonly kind: 'session'; readonly entry: SessionEntry }
  | { readonly kind: 'ended'; readonly entries: readonly SessionEntry[] };

export function sessionNode(entry: SessionEntry): SessionNode {
  return { kind: 'session', entry };
}
