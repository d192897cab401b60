import type { MaybePromise } from '../base/async.ts';

/** The counters of policy limits: their store, and their amounts by time slice. */

/** The calls that share counts: those of one agent session, of one caller (`grant`), or all. */
export interface CounterGroup {
  readonly scope: 'session' | 'grant' | 'global';
  /** Identifies the agent session or the caller. */
  readonly id: string;
}

/**
 * The counts of all programs. Files answer without a wait, so a decision and its count are one step
 * (`MaybePromise`). All programs see the additions to a group in the same order. A program
 * adds an amount first, and checks the limit with the counts directly after its own addition.
 */
export interface CounterStore {
  /** @throws {AgentCoreError} `config` if earlier counts are unknown. */
  read(group: CounterGroup): MaybePromise<Tallies>;
  /** Like {@link read}, but possibly without recent counts of other programs. */
  readCached(group: CounterGroup): MaybePromise<Tallies>;
  /**
   * Returns the counts directly after the additions, without later ones of other programs. Throws
   * like {@link read}.
   */
  add(group: CounterGroup, additions: readonly Addition[]): MaybePromise<Tallies>;
}

/** Counts of this process alone, for tests of policies. */
export class MemoryCounterStore implements CounterStore {
  readonly #groups = new Map<string, Tallies>();

  read({ scope, id }: CounterGroup): Tallies {
    const key = `${scope} ${id}`;
    const tallies = this.#groups.get(key) ?? new Map();
    this.#groups.set(key, tallies);
    return tallies;
  }

  readCached(group: CounterGroup): Tallies {
    return this.read(group);
  }

  add(group: CounterGroup, additions: readonly Addition[]): Tallies {
    const tallies = this.read(group);
    applyAdditions(tallies, additions);
    return tallies;
  }
}

/** Counters by key. */
export type Tallies = Map<string, Tally>;

/**
 * An amount to add to a slice of a counter. A negative amount takes it back. 0 only records the
 * current time.
 */
export interface Addition {
  readonly key: string;
  readonly slice: number;
  readonly amount: number;
  readonly until: number;
}

/**
 * Amounts by time slice, oldest first. A fixed window is one slice, numbered by its start. A
 * sliding window is divided into {@link SLICES}. A slice counts until its end has left the window,
 * so the limit is never exceeded within it.
 */
export interface Tally {
  readonly slices: readonly Slice[];
  /** Milliseconds since 1970 at which all slices expire. */
  readonly until: number;
}

/**
 * `seenIn` is set if a clock showed an earlier time than the slice: this clock is slow, or the
 * clock of the count was fast. The slice then counts for one window from `seenIn` on, and again at
 * its own time.
 */
type Slice = readonly [slice: number, amount: number, seenIn?: number];

/** Number of slices of a sliding window. */
export const SLICES = 60;

/** Older slices are outside every window. */
const MAX_SLICES = SLICES + 4;

/** The tally of a counter without amounts. */
export const EMPTY_TALLY: Tally = { slices: [], until: 0 };

/** Adds amounts to the counters. */
export function applyAdditions(tallies: Tallies, additions: readonly Addition[]): void {
  for (const { key, slice, amount, until } of additions) {
    tallies.set(key, withAmount(tallies.get(key) ?? EMPTY_TALLY, slice, amount, until));
  }
}

/**
 * Adds an amount to a slice. A negative amount takes back an earlier one.
 *
 * @param slice For a positive amount, the slice of the current time.
 * @param until Milliseconds since 1970 at which the slice expires.
 */
function withAmount(tally: Tally, slice: number, amount: number, until: number): Tally {
  const latest = tally.slices.at(-1);
  const longest = Math.max(tally.until, until);
  // Fast path: almost every call counts into the latest slice.
  if (latest?.[0] === slice) {
    return { slices: tally.slices.with(-1, withMore(latest, amount)), until: longest };
  }
  const own = tally.slices.find(([at]) => at === slice) ?? ([slice, 0] as const);
  const past = tally.slices.filter(([at]) => at < slice);
  const ahead = tally.slices
    .filter(([at]) => at > slice)
    // A negative amount goes to the slice of the original count, so `slice` is not the current
    // time.
    .map((one) => (amount < 0 ? one : withFirstSeen(one, slice)));
  const slices = [...past.slice(-MAX_SLICES), withMore(own, amount), ...limitSlices(ahead)];
  return { slices, until: longest };
}

function withMore([slice, amount, seenIn]: Slice, more: number): Slice {
  const sum = Math.max(0, amount + more);
  return seenIn === undefined ? [slice, sum] : [slice, sum, seenIn];
}

function withFirstSeen([slice, amount, seenIn = slice]: Slice, present: number): Slice {
  return [slice, amount, Math.min(seenIn, present)];
}

/**
 * Limits the slices in the future. There are many only if a clock is repeatedly fast. The surplus
 * moves into a later slice, so it counts longer, never shorter.
 */
function limitSlices(slices: readonly Slice[]): readonly Slice[] {
  const more = slices.slice(0, -MAX_SLICES);
  const [first, ...others] = slices.slice(-MAX_SLICES);
  if (!first || more.length === 0) return slices;
  return [
    withMore(
      first,
      more.reduce((sum, [, amount]) => sum + amount, 0),
    ),
    ...others,
  ];
}
