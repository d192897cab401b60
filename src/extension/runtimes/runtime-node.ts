import type {
  DiscoveredEndpoint,
  DiscoveredGateway,
  DiscoveredRuntime,
} from '../../aws/discovery/discovered.ts';
import type { Place } from '../../aws/discovery/place.ts';
import type { Problem } from '../../aws/discovery/problem.ts';
import { arnOf } from '../servers/server-environment.ts';
import type { EntryProblem, RuntimeEntry } from './runtime-entry.ts';

/** What the view "Runtimes" shows, and its commands are given. */
export type RuntimeNode =
  | ConfiguredNode
  | BrokenNode
  | PlaceNode
  | DiscoveredNode
  | EndpointNode
  | ProblemNode
  /** That there is nothing is worth saying as well. */
  | { readonly kind: 'nothing'; readonly place: Place };

/** A runtime that is set up. */
export interface ConfiguredNode {
  readonly kind: 'configured';
  readonly entry: RuntimeEntry;
  /** Absent for a local AgentCore. */
  readonly arn: string | undefined;
}

/** An entry of the settings that cannot be used. */
export interface BrokenNode {
  readonly kind: 'broken';
  readonly problem: EntryProblem;
}

/** An account in a region, with what was found there below it. */
export interface PlaceNode {
  readonly kind: 'place';
  readonly place: Place;
}

/** A runtime or gateway that was found. */
export interface DiscoveredNode {
  readonly kind: 'discovered';
  readonly place: Place;
  readonly target: DiscoveredRuntime | DiscoveredGateway;
  readonly arn: string;
}

/** An endpoint of a runtime that was found. */
export interface EndpointNode {
  readonly kind: 'endpoint';
  readonly runtime: DiscoveredNode;
  readonly endpoint: DiscoveredEndpoint;
  readonly arn: string;
}

/** What could not be found out. */
export interface ProblemNode {
  readonly kind: 'problem';
  readonly problem: Problem;
}

export function configuredNode(entry: RuntimeEntry): ConfiguredNode {
  return { kind: 'configured', entry, arn: arnOf(entry) };
}

/** Tells places apart, and is the same for the same one. */
export function placeKey({ profile, region, assumeRole }: Place): string {
  return JSON.stringify([
    profile ?? null,
    region,
    assumeRole?.arn ?? null,
    assumeRole?.chain ?? [],
  ]);
}
