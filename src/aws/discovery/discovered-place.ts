import type { DiscoveredGateway, DiscoveredRuntime } from './discovered.ts';
import type { Place } from './place.ts';
import type { Problem } from './problem.ts';
import type { Identity } from './who-am-i.ts';

/** What was read at one time. */
export interface Listing<T> {
  readonly items: readonly T[];
  /** ISO 8601. */
  readonly readAt: string;
  /** `cache`: it was read earlier, by this program or another. */
  readonly source: 'aws' | 'cache';
}

/** What is known of a place. */
export interface DiscoveredPlace {
  readonly place: Place;
  /** Absent where the credentials did not lead to one. */
  readonly identity: Identity | undefined;
  /** Absent where they could not be listed, and were not before either. */
  readonly runtimes: Listing<DiscoveredRuntime> | undefined;
  /** Absent likewise, and where nobody asked for them. */
  readonly gateways: Listing<DiscoveredGateway> | undefined;
  readonly problems: readonly Problem[];
  /** Whether this is all, so that nothing more comes of this place. */
  readonly isDone: boolean;
}

/** One place while it is being looked at. */
export class Look {
  readonly place: Place;
  readonly #onChange: (state: DiscoveredPlace) => void;
  #state: DiscoveredPlace;

  constructor(place: Place, onChange: (state: DiscoveredPlace) => void) {
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

  tell(more: Partial<DiscoveredPlace>): void {
    this.#state = { ...this.#state, ...more };
    this.#onChange(this.#state);
  }

  problem(problem: Problem): void {
    this.tell({ problems: [...this.#state.problems, problem] });
  }
}

/** @param readAt Milliseconds since 1970. */
export function listing<T>(
  items: readonly T[],
  readAt: number,
  source: Listing<T>['source'],
): Listing<T> {
  return { items, readAt: new Date(readAt).toISOString(), source };
}
