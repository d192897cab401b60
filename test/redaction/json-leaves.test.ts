import { expect, test } from 'vitest';
import { runSynchronously } from '../../src/base/async.ts';
import { hasDuplicateKey, serializeString } from '../../src/redaction/json-leaves.ts';

test.each(['a"\\\n', '\u{1f600}', 'x\u{1f600}', '\ud83d', '\ude00x', '\u2028é'])(
  'writes %j, repeated many times, like JSON.stringify',
  (part) => {
    for (const text of [part, part.repeat(70_000)]) {
      expect(runSynchronously(serializeString(text)) === JSON.stringify(text)).toBe(true);
    }
  },
);

test.each([
  ['{"a":1,"a":2}', true],
  ['[{"a":{"b":1,"\\u0062":2}}]', true],
  ['{"a":"b","b":"a","c":{"a":1},"d":[{"a":1},{"a":1}]}', false],
  ['["a","a"]', false],
])('detects whether an object of %s has a duplicate key', (json, is) => {
  expect(runSynchronously(hasDuplicateKey(json))).toBe(is);
});
