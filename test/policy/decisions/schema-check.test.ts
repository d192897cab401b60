import { expect, test } from 'vitest';
import { SchemaCheck } from '../../../src/policy/decisions/schema-check.ts';

const check = new SchemaCheck();
await check.prepare();
const fault = (pattern: string, id: string) =>
  check.fault({ properties: { id: { type: 'string', pattern } } }, { id }, 'schema');

test.each([
  ['of the kind that takes linear time', '^(a+)+$'],
  ['of the kind that goes back', '^(?=a)(a+)+$'],
])('a pattern %s is checked, and never for long', (_, pattern) => {
  expect(fault(pattern, 'aaa')).toBeUndefined();
  expect(fault(pattern, 'aab')).toContain('must match pattern');
  // Would take longer than there is time.
  expect(fault(pattern, `${'a'.repeat(900)}b`)).toContain('must match pattern');
  expect(fault(pattern, 'aaa')).toBeUndefined();
});
