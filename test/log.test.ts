import { expect, it } from 'vitest';
import { escapeControls, escapeLines } from '../src/base/logger.ts';

it.each([
  ['a line end', 'one\r\ntwo', 'one\\r\\ntwo'],
  ['a terminal command', '\u001b]52;c;eA==\u0007', '\\x1b]52;c;eA==\\x07'],
  ['a command of one byte', '\u009b31m', '\\x9b31m'],
  ['reversed text', 'a\u202eb', 'a\\u{202e}b'],
  ['another line separator', 'a\u2028b', 'a\\u{2028}b'],
  ['plain text of any language', 'zürich 東京 🙂', 'zürich 東京 🙂'],
])('escapes %s', (_, text, escaped) => {
  expect(escapeControls(text)).toBe(escaped);
});

it('keeps the lines of a multi-line text', () => {
  expect(escapeLines('one\n\u001btwo')).toBe('one\n\\x1btwo');
});
