import { getWindowEnd, getWindowStart, type Window } from '../documents/windows.ts';

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

const SLICES = 60;

/** Older slices are outside every window. */
const MAX_SLICES = SLICES + 4;

export const NOTHING: Tally = { slices: [], until: 0 };

/** The sum of the valid slices at `now`. */
export function getCount({ slices }: Tally, window: Window, now: number): number {
  const first = getFirstSlice(window, now);
  const { slice: present } = getSliceAt(window, now);
  return slices.reduce((sum, [slice, amount, seenIn]) => {
    const counted = slice > present ? Math.min(seenIn ?? present, present) : slice;
    return counted >= first ? sum + amount : sum;
  }, 0);
}

/** True if a faster clock has counted ahead and the current time is not recorded yet. */
export function isAhead({ slices }: Tally, window: Window, now: number): boolean {
  const { slice: present } = getSliceAt(window, now);
  return slices.some(
    ([slice, , seenIn]) => slice > present && (seenIn === undefined || seenIn > present),
  );
}

/** The current slice and its expiry time. */
export function getSliceAt(
  window: Window,
  now: number,
): { readonly slice: number; readonly until: number } {
  const slice =
    window.kind === 'fixed'
      ? getWindowStart(window, now)
      : Math.floor(now / getSliceLength(window));
  return { slice, until: getSliceEnd(window, slice) };
}

/** Adds an amount to a slice at the current time. A negative amount takes it back. */
export function withAmount(tally: Tally, slice: number, amount: number, until: number): Tally {
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

function getSliceLength({ milliseconds }: Window): number {
  return Math.max(1, Math.ceil(milliseconds / SLICES));
}

function getFirstSlice(window: Window, now: number): number {
  if (window.kind === 'fixed') return getWindowStart(window, now);
  // The slice in progress at the start of the window.
  return Math.floor((now - window.milliseconds) / getSliceLength(window));
}

function getSliceEnd(window: Window, slice: number): number {
  if (window.kind === 'fixed') return getWindowEnd(window, slice);
  return (slice + 1) * getSliceLength(window) + window.milliseconds;
}
