import { type Window, windowEnd, windowStart } from '../documents/windows.ts';

/**
 * How much of something there was, by slices of time, oldest first. A fixed window is one slice,
 * numbered by its start; a sliding one is cut into {@link SLICES}, and a slice counts until its end has
 * left the window, so that never more than the limit fits into it.
 */
export interface Tally {
  readonly slices: readonly Slice[];
  /** Milliseconds since 1970 after which all of it is over. */
  readonly until: number;
}

/**
 * `seenIn` is set if a clock was seen that shows an earlier time than the slice's own: either that
 * clock is slow, or the one by which the slice was counted was fast. So the slice counts for one window
 * from then on, and again when its own time comes.
 */
type Slice = readonly [slice: number, amount: number, seenIn?: number];

const SLICES = 60;
/** Older ones are beyond every window. */
const MOST_SLICES = SLICES + 4;

export const NOTHING: Tally = { slices: [], until: 0 };

/** What counts of it at `now`. */
export function countIn({ slices }: Tally, window: Window, now: number): number {
  const first = firstSlice(window, now);
  const { slice: present } = sliceAt(window, now);
  return slices.reduce((sum, [slice, amount, seenIn]) => {
    const counted = slice > present ? Math.min(seenIn ?? present, present) : slice;
    return counted >= first ? sum + amount : sum;
  }, 0);
}

/** True if something was counted by a faster clock, and that was not noted yet. */
export function isAhead({ slices }: Tally, window: Window, now: number): boolean {
  const { slice: present } = sliceAt(window, now);
  return slices.some(
    ([slice, , seenIn]) => slice > present && (seenIn === undefined || seenIn > present),
  );
}

/** Where something of now goes, and until when that slice counts. */
export function sliceAt(
  window: Window,
  now: number,
): { readonly slice: number; readonly until: number } {
  const slice =
    window.kind === 'fixed' ? windowStart(window, now) : Math.floor(now / sliceLength(window));
  return { slice, until: endOf(window, slice) };
}

/** With so much more in a slice, by a clock that shows it now; a negative amount is taken back. */
export function withAmount(tally: Tally, slice: number, amount: number, until: number): Tally {
  const latest = tally.slices.at(-1);
  const longest = Math.max(tally.until, until);
  // As it is nearly always.
  if (latest?.[0] === slice) {
    return { slices: tally.slices.with(-1, withMore(latest, amount)), until: longest };
  }
  const own = tally.slices.find(([at]) => at === slice) ?? ([slice, 0] as const);
  const past = tally.slices.filter(([at]) => at < slice);
  const ahead = tally.slices
    .filter(([at]) => at > slice)
    // What is taken back was counted earlier, so its slice does not show the present time.
    .map((one) => (amount < 0 ? one : seenFrom(one, slice)));
  const slices = [...past.slice(-MOST_SLICES), withMore(own, amount), ...atMost(ahead)];
  return { slices, until: longest };
}

function withMore([slice, amount, seenIn]: Slice, more: number): Slice {
  const sum = Math.max(0, amount + more);
  return seenIn === undefined ? [slice, sum] : [slice, sum, seenIn];
}

function seenFrom([slice, amount, seenIn = slice]: Slice, present: number): Slice {
  return [slice, amount, Math.min(seenIn, present)];
}

/** More of them would mean that a clock was fast again and again; what is too much counts longest. */
function atMost(slices: readonly Slice[]): readonly Slice[] {
  const more = slices.slice(0, -MOST_SLICES);
  const [first, ...others] = slices.slice(-MOST_SLICES);
  if (!first || more.length === 0) return slices;
  return [
    withMore(
      first,
      more.reduce((sum, [, amount]) => sum + amount, 0),
    ),
    ...others,
  ];
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
