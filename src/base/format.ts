const SECOND = 1000;

const MINUTE = 60 * SECOND;

const HOUR = 60 * MINUTE;

const DAY = 24 * HOUR;

/** A duration in its two largest units: `45 s`, `12 m`, `8 h`, `3 h 5 m`, `2 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  const whole = (unit: number) => Math.floor(milliseconds / unit);
  const and = (rest: number, unit: string) => (rest === 0 ? '' : ` ${rest} ${unit}`);
  if (milliseconds < MINUTE) return `${whole(SECOND)} s`;
  if (milliseconds < HOUR) return `${whole(MINUTE)} m`;
  if (milliseconds < DAY) return `${whole(HOUR)} h${and(whole(MINUTE) % 60, 'm')}`;
  return `${whole(DAY)} d${and(whole(HOUR) % 24, 'h')}`;
}

/**
 * Formats a time in the local time zone: `2026-11-21 12:03:07`.
 *
 * @param moment ISO 8601.
 */
export function formatTime(moment: string): string {
  const date = new Date(moment);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
}

/** A count with its noun: `1 call`, `2 calls`, `2 entries`. */
export function pluralize(count: number, noun: string, plural = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Replaces control and format characters with a space: they could move the cursor or add lines. */
export function sanitizeForTerminal(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
}

/**
 * Formats rows as a table. Each column is as wide as its widest cell.
 *
 * @param width Terminal width; longer lines are cut off.
 */
export function formatTable(rows: readonly (readonly string[])[], width = Infinity): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const formatRow = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map((row) => `${truncateLine(formatRow(row), width)}\n`).join('');
}

function truncateLine(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, Math.max(0, width - 1))}…`;
}
