import { expect, test } from 'vitest';
import { hasKeyTwice } from '../../../src/policy/redaction/json-leaves.ts';
import { isJson, jsonOf } from '../../../src/policy/redaction/json-text.ts';
import { atOnce } from '../../../src/policy/redaction/slices.ts';
import { Random } from '../../campaign/random.ts';

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

test.each([...ACCEPTED, ...REFUSED])('judges %j as JSON.parse does', (text) => {
  expect(atOnce(isJson(text))).toBe(isAccepted(text));
});

test('judges texts with random changes as JSON.parse does', () => {
  const random = new Random(13);
  const signs = [...'{}[]",:\\ \n0123456789.eE+-truefalsn'];
  let accepted = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = random.pick(ACCEPTED);
    const at = random.from(0, text.length);
    const sign = random.pick(signs);
    const changed = text.slice(0, at) + sign + text.slice(at + random.from(0, 1));
    if (isAccepted(changed)) accepted += 1;
    if (atOnce(isJson(changed)) !== isAccepted(changed)) expect.fail(JSON.stringify(changed));
  }
  expect(accepted).toBeGreaterThan(1_000);
});

test.each(['a"\\\n', '\u{1f600}', 'x\u{1f600}', '\ud83d', '\ude00x', '\u2028é'])(
  'writes %j, many times, as JSON.stringify does',
  (part) => {
    for (const text of [part, part.repeat(70_000)]) {
      expect(atOnce(jsonOf(text)) === JSON.stringify(text)).toBe(true);
    }
  },
);

test.each([
  ['{"a":1,"a":2}', true],
  ['[{"a":{"b":1,"\\u0062":2}}]', true],
  ['{"a":"b","b":"a","c":{"a":1},"d":[{"a":1},{"a":1}]}', false],
  ['["a","a"]', false],
])('sees whether an object of %s has a key twice', (json, is) => {
  expect(atOnce(hasKeyTwice(json))).toBe(is);
});

function isAccepted(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
