import { type Window, windowEnd, windowStart } from '../documents/windows.ts';

/**
 * How much of something there was, by slices of time: [slice, amount] pairs, oldest first. A fixed
 * window is one slice, numbered by its start; a sliding one is cut into {@link SLICES}, and a slice
 * counts until its end has left the window, so that never more than the limit fits into it.
 */
export interface Tally {
  readonly slices: readonly (readonly [slice: number, amount: number])[];
  /** Milliseconds since 1970 after which all of it is over. */
  readonly until: number;
}

const SLICES = 60;
/** Older ones are beyond every window. */
const MOST_SLICES = SLICES + 4;

export const NOTHING: Tally = { slices: [], until: 0 };

/** What counts of it at `now`. */
export function countIn({ slices }: Tally, window: Window, now: number): number {
  const first = firstSlice(window, now);
  return slices.reduce((sum, [slice, amount]) => (slice >= first ? sum + amount : sum), 0);
}

/** Where something of now goes, and until when that slice counts. */
export function sliceAt(
  { slices }: Tally,
  window: Window,
  now: number,
): { readonly slice: number; readonly until: number } {
  const present =
    window.kind === 'fixed' ? windowStart(window, now) : Math.floor(now / sliceLength(window));
  // A clock that was set back does not open a new slice before the one that is counted into.
  const slice = Math.max(slices.at(-1)?.[0] ?? 0, present);
  return { slice, until: endOf(window, slice) };
}

/** With so much more, or less, in a slice. */
export function withAmount(tally: Tally, slice: number, amount: number, until: number): Tally {
  const latest = tally.slices.at(-1);
  // As it is nearly always.
  if (latest?.[0] === slice) {
    const slices = tally.slices.with(-1, [slice, Math.max(0, latest[1] + amount)]);
    return { slices, until: Math.max(tally.until, until) };
  }
  const before = tally.slices.find(([at]) => at === slice)?.[1] ?? 0;
  const others = tally.slices.filter(([at]) => at !== slice);
  const slices = [...others, [slice, Math.max(0, before + amount)] as const];
  return {
    slices: slices.sort(([one], [other]) => one - other).slice(-MOST_SLICES),
    until: Math.max(tally.until, until),
  };
}

function sliceLength({ milliseconds }: Window): number {
  return Math.max(1, Math.ceil(milliseconds / SLICES));
}

function firstSlice(window: Window, now: number): number {
  if (window.kind === 'fixed') return windowStart(window, now);
  // The slice that was under way when the window began.
  return Math.floor((now - window.milliseconds) / sliceLength(window));
}

function endOf(window: Window, slice: number): number {
  if (window.kind === 'fixed') return windowEnd(window, slice);
  return (slice + 1) * sliceLength(window) + window.milliseconds;
}
