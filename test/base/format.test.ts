import { expect, it } from 'vitest';
import {
  formatDuration,
  formatTable,
  formatTime,
  pluralize,
  sanitizeForTerminal,
} from '../../src/base/format.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

it.each([
  [0, '0 s'],
  [59 * SECOND + 999, '59 s'],
  [12 * MINUTE + 30 * SECOND, '12 m'],
  [8 * HOUR, '8 h'],
  [3 * HOUR + 5 * MINUTE, '3 h 5 m'],
  [52 * HOUR, '2 d 4 h'],
])('formats a duration of %d ms as "%s"', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it('formats a time in the local time zone', () => {
  const local = new Date(2026, 10, 21, 12, 3, 7);
  expect(formatTime(local.toISOString())).toBe('2026-11-21 12:03:07');
});

it('adds the plural to all counts but one', () => {
  expect([0, 1, 2].map((count) => pluralize(count, 'call'))).toEqual([
    '0 calls',
    '1 call',
    '2 calls',
  ]);
  expect(pluralize(2, 'entry', 'entries')).toBe('2 entries');
});

it('replaces control and format characters with a space', () => {
  expect(sanitizeForTerminal('one\u001b[2Jtwo\n\u202ethree')).toBe('one [2Jtwo three');
});

it('aligns the columns of a table, and cuts long lines off', () => {
  const rows = [
    ['name', 'state'],
    ['a', 'running'],
  ];
  expect(formatTable(rows)).toBe('name  state\na     running\n');
  expect(formatTable(rows, 9)).toBe('name  st…\na     ru…\n');
});
