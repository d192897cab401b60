/** The time over which something is counted. */
export interface Window {
  /** `fixed` begins anew with the calendar in UTC; `sliding` is always the last so much time. */
  readonly kind: 'fixed' | 'sliding';
  readonly milliseconds: number;
  /** For sentences: `minute`, `90 s`. */
  readonly words: string;
}

export const NAMED_WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month'] as const;
type WindowName = (typeof NAMED_WINDOWS)[number];

const SECOND = 1000;
const DAY = 86_400 * SECOND;
/** A month is one of the calendar; its length here is the longest, for what has to be kept. */
const LENGTHS: Readonly<Record<WindowName, number>> = {
  second: SECOND,
  minute: 60 * SECOND,
  hour: 3600 * SECOND,
  day: DAY,
  week: 7 * DAY,
  month: 31 * DAY,
};

const UNITS: Readonly<Record<string, number>> = {
  s: SECOND,
  m: 60 * SECOND,
  h: 3600 * SECOND,
  d: DAY,
};

/** A length of time such as `90s`, `15m`, `2h`, `7d`; in milliseconds. */
export function readDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,6})([smhd])$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2] as string] as number);
}

/** Of the calendar, by its name. */
export function calendarWindow(name: WindowName): Window {
  return { kind: 'fixed', milliseconds: LENGTHS[name], words: name };
}

/** The last so many milliseconds. */
export function slidingWindow(milliseconds: number, words: string): Window {
  return { kind: 'sliding', milliseconds, words };
}

/** When the fixed window began that `now` lies in. Weeks begin on Monday, as in ISO 8601. */
export function windowStart({ milliseconds, words }: Window, now: number): number {
  if (words === 'month') {
    const date = new Date(now);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  }
  // 1970 began on a Thursday.
  const offset = words === 'week' ? 3 * DAY : 0;
  return Math.floor((now + offset) / milliseconds) * milliseconds - offset;
}

/** When a fixed window ends that began at `start`. */
export function windowEnd(window: Window, start: number): number {
  if (window.words !== 'month') return start + window.milliseconds;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
