import type {
  DiscoveredEndpoint,
  DiscoveredGateway,
  DiscoveredRuntime,
  DiscoveryScope,
  Problem,
} from '../../aws/discovery/model.ts';
import type { SessionInfo } from '../../sessions/session-info.ts';
import type { PendingApproval } from '../../state/store.ts';
import type { EntryProblem, RuntimeEntry } from '../settings/runtime-entry.ts';
import { getTargetArn } from '../settings/server-environment.ts';

/** The nodes of the view "Runtimes", also passed to its commands. */
export type RuntimeNode =
  | ConfiguredNode
  | BrokenNode
  | ScopeNode
  | DiscoveredNode
  | EndpointNode
  | ProblemNode
  /** Shown in a scope without runtimes and gateways. */
  | { readonly kind: 'nothing'; readonly place: DiscoveryScope };

/** A configured runtime. */
export interface ConfiguredNode {
  readonly kind: 'configured';
  readonly entry: RuntimeEntry;
  /** Absent for a local AgentCore. */
  readonly arn: string | undefined;
}

/** An invalid entry of the settings. */
export interface BrokenNode {
  readonly kind: 'broken';
  readonly problem: EntryProblem;
}

/** An account in one region. Its children are the discovered runtimes and gateways. */
export interface ScopeNode {
  readonly kind: 'place';
  readonly place: DiscoveryScope;
}

/** A discovered runtime or gateway. */
export interface DiscoveredNode {
  readonly kind: 'discovered';
  readonly place: DiscoveryScope;
  readonly target: DiscoveredRuntime | DiscoveredGateway;
  readonly arn: string;
}

/** An endpoint of a discovered runtime. */
export interface EndpointNode {
  readonly kind: 'endpoint';
  readonly runtime: DiscoveredNode;
  readonly endpoint: DiscoveredEndpoint;
  readonly arn: string;
}

/** An error of the discovery. */
export interface ProblemNode {
  readonly kind: 'problem';
  readonly problem: Problem;
}

export function createConfiguredNode(entry: RuntimeEntry): ConfiguredNode {
  return { kind: 'configured', entry, arn: getTargetArn(entry) };
}

/** The nodes of the view "Sessions", also passed to its commands. */
export type SessionNode =
  | { readonly kind: 'approvals'; readonly all: readonly PendingApproval[] }
  | { readonly kind: 'approval'; readonly pending: PendingApproval }
  | { readonly kind: 'session'; readonly entry: SessionInfo }
  | { readonly kind: 'ended'; readonly entries: readonly SessionInfo[] };

export function createSessionNode(entry: SessionInfo): SessionNode {
  return { kind: 'session', entry };
}
