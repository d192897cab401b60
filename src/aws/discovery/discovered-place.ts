import type { DiscoveredGateway, DiscoveredRuntime } from './discovered.ts';
import type { DiscoveryScope } from './place.ts';
import type { Problem } from './problem.ts';
import type { Identity } from './who-am-i.ts';

/** Items read at one time. */
export interface Listing<T> {
  readonly items: readonly T[];
  /** ISO 8601. */
  readonly readAt: string;
  /** `cache`: read earlier by this or another program. */
  readonly source: 'aws' | 'cache';
}

/** The current results for one account and region. */
export interface DiscoveredScope {
  readonly place: DiscoveryScope;
  /** Absent if the credentials could not be verified. */
  readonly identity: Identity | undefined;
  /** Absent if they could not be listed and are not cached. */
  readonly runtimes: Listing<DiscoveredRuntime> | undefined;
  /** Absent if they could not be listed and are not cached, or were not requested. */
  readonly gateways: Listing<DiscoveredGateway> | undefined;
  readonly problems: readonly Problem[];
  /** Whether this is the final update. */
  readonly isDone: boolean;
}

/** Collects and reports the results for one account and region during discovery. */
export class ScopeReport {
  readonly place: DiscoveryScope;
  readonly #onChange: (state: DiscoveredScope) => void;
  #state: DiscoveredScope;

  constructor(place: DiscoveryScope, onChange: (state: DiscoveredScope) => void) {
    this.place = place;
    this.#onChange = onChange;
    this.#state = {
      place,
      identity: undefined,
      runtimes: undefined,
      gateways: undefined,
      problems: [],
      isDone: false,
    };
  }

  tell(more: Partial<DiscoveredScope>): void {
    this.#state = { ...this.#state, ...more };
    this.#onChange(this.#state);
  }

  problem(problem: Problem): void {
    this.tell({ problems: [...this.#state.problems, problem] });
  }
}

/** @param readAt Milliseconds since 1970. */
export function createListing<T>(
  items: readonly T[],
  readAt: number,
  source: Listing<T>['source'],
): Listing<T> {
  return { items, readAt: new Date(readAt).toISOString(), source };
}
