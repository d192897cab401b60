import { expect, test } from 'vitest';
import { runSynchronously } from '../../src/base/async.ts';
import { isJson, MAX_LENGTH_AT_ONCE, parseJson } from '../../src/base/json-parser.ts';
import { Random } from '../campaign/random.ts';

/** Makes any text too long to be parsed without a pause. */
const SPACE = ' '.repeat(MAX_LENGTH_AT_ONCE);

const ACCEPTED = [
  '0 -0 -1.5e+30 1E5 10 true false null "" "a" "\\u00e9\\n\\/" [] {} [[],{}] {"a":[1,{"b":2}]}'.split(
    ' ',
  ),
  [' [ 1 , 2 ] ', '{ "a" : 1 ,\n"b" : "c" }\r\n', '\t1\t', '"\u2028"', '{"a":1,"a":2}', '"\ud800"'],
].flat();
const REFUSED = [
  '01 1. .5 -  +1 1e 1e+ 0x1 tru nul NaN Infinity " "a "\\x" "\\u12g4" "\\u12 [ ] { } [1 [1,] [,1] [1}'.split(
    ' ',
  ),
  [
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '{1:2}',
    '[1 2]',
    '1 2',
    '"a\nb"',
    '"\t"',
    '\ufeff1',
    '\u00a01',
    '',
  ],
].flat();

test.each([...ACCEPTED, ...REFUSED])('accepts or rejects %j like JSON.parse', (text) => {
  expect(runSynchronously(isJson(text))).toBe(isAccepted(text));
});

test('accepts or rejects texts with random changes like JSON.parse', () => {
  const random = new Random(13);
  const signs = [...'{}[]",:\\ \n0123456789.eE+-truefalsn'];
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = random.pick(ACCEPTED);
    const at = random.from(0, text.length);
    const sign = random.pick(signs);
    const changed = text.slice(0, at) + sign + text.slice(at + random.from(0, 1));
    if (isAccepted(changed)) accepted += 1;
    if (runSynchronously(isJson(changed)) !== isAccepted(changed))
      expect.fail(JSON.stringify(changed));
  }
  expect(accepted).toBeGreaterThan(1_000);
});

test.each([...ACCEPTED, ...REFUSED])('parses %j within a large text like JSON.parse', (text) => {
  expect(parsed(SPACE + text)).toStrictEqual(isAccepted(text) ? JSON.parse(text) : 'no JSON');
});

test('parses large texts with random changes like JSON.parse', () => {
  const random = new Random(14);
  for (let round = 0; round < 50; round++) {
    const items = Array.from({ length: 20 }, () => random.pick(ACCEPTED));
    const text = `[${items.join()},{"k${round}":${items.join(`,"${random.from(0, 9)}":`)}}]`;
    const expected: unknown = JSON.parse(text);
    const value = parsed(SPACE + text);
    expect(value).toStrictEqual(expected);
    // Compares the order of keys as well.
    expect(JSON.stringify(value)).toBe(JSON.stringify(expected));
  }
});

test('parses 300,000 levels and 170,000 keys', () => {
  const levels = '['.repeat(300_000) + ']'.repeat(300_000);
  expect(Array.isArray(parsed(levels))).toBe(true);
  const keys = Array.from({ length: 170_000 }, (_, at) => [`member ${at}`, at]);
  const text = JSON.stringify(Object.fromEntries(keys));
  expect(JSON.stringify(parsed(text)) === text).toBe(true);
});

test('keeps a member named __proto__ as a member', () => {
  const value = parsed(`${SPACE}{"__proto__":{"isAdmin":true},"a":1}`) as object;
  expect(Object.keys(value)).toEqual(['__proto__', 'a']);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
});

test.each([
  ['{"a":1,"a":2}', true],
  ['[{"a":{"b":1,"\\u0062":2}}]', true],
  ['{"__proto__":1,"__proto__":2}', true],
  ['{"constructor":1,"a":"b","b":"a","c":{"a":1},"d":[{"a":1},{"a":1}]}', false],
])('reports whether an object of a large %s may have a key twice', (text, expected) => {
  expect(runSynchronously(parseJson(SPACE + text)).mayRepeatKeys).toBe(expected);
});

test('pauses within a large text', () => {
  const text = JSON.stringify(Array.from({ length: 30_000 }, (_, at) => ({ [`k${at}`]: at })));
  let pauses = 0;
  for (const work = parseJson(text); !work.next().done; ) pauses += 1;
  expect(pauses).toBeGreaterThan(text.length / 8_192);
});

function parsed(text: string): unknown {
  try {
    return runSynchronously(parseJson(text)).value;
  } catch {
    return 'no JSON';
  }
}

function isAccepted(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
