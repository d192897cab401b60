/** A time window of a counter or budget. */
export interface Window {
  /** `fixed` restarts with the calendar in UTC; `sliding` always covers the latest period. */
  readonly kind: 'fixed' | 'sliding';
  readonly milliseconds: number;
  /** Text for messages: `minute`, `90 s`. Also identifies the window. */
  readonly label: string;
}

export const NAMED_WINDOWS = ['second', 'minute', 'hour', 'day', 'week', 'month'] as const;

type WindowName = (typeof NAMED_WINDOWS)[number];

const SECOND = 1000;

const DAY = 86_400 * SECOND;

/** Milliseconds of calendar windows. For a month, the maximum. It only serves retention. */
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

/** Parses a duration such as `90s`, `15m`, `2h` or `7d` to milliseconds. */
export function readDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,6})([smhd])$/.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNITS[match[2] as string] as number);
}

/** Creates a window that restarts with the calendar. */
export function createCalendarWindow(name: WindowName): Window {
  return { kind: 'fixed', milliseconds: LENGTHS[name], label: name };
}

/** Creates a window that always covers the latest period. */
export function createSlidingWindow(milliseconds: number, label: string): Window {
  return { kind: 'sliding', milliseconds, label };
}

/** Returns the start of the fixed window around `now`. Weeks start on Monday, as in ISO 8601. */
export function getWindowStart({ milliseconds, label }: Window, now: number): number {
  if (label === 'month') {
    const date = new Date(now);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  }
  // 1 January 1970 was a Thursday.
  const offset = label === 'week' ? 3 * DAY : 0;
  return Math.floor((now + offset) / milliseconds) * milliseconds - offset;
}

/** Returns the end of a fixed window by its start. */
export function getWindowEnd(window: Window, start: number): number {
  if (window.label !== 'month') return start + window.milliseconds;
  const date = new Date(start);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}
