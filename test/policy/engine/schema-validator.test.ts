import { expect, test } from 'vitest';
import { SchemaValidator } from '../../../src/policy/engine/schema-validator.ts';

const check = new SchemaValidator();
await check.prepare();
const fault = (pattern: string, id: string) =>
  check.fault({ properties: { id: { type: 'string', pattern } } }, { id }, 'schema');

test.each([
  ['without backtracking', '^(a+)+$'],
  ['with backtracking', '^(?=a)(a+)+$'],
])('a pattern %s is checked in bounded time', (_, pattern) => {
  expect(fault(pattern, 'aaa')).toBeUndefined();
  expect(fault(pattern, 'aab')).toContain('must match pattern');
  // Would take longer than the time limit.
  expect(fault(pattern, `${'a'.repeat(900)}b`)).toContain('must match pattern');
  expect(fault(pattern, 'aaa')).toBeUndefined();
});

test.each([
  [{ id: 1, Id: -1 }, '"Id"'],
  [{ 'ID\u200b': -1 }, 'ID'],
  [{ list: [{ n: 1 }, { n: 1, N: -1 }] }, '"N"'],
  [{ inner: { n: 1, ｎ: -1 } }, '"ｎ"'],
])(
  'a key that a server may mistake for a checked key is not an additional property: %j',
  (value, key) => {
    const n = { properties: { n: { minimum: 0 } } };
    const properties = { id: { minimum: 0 }, list: { items: n }, inner: n };
    expect(check.fault({ type: 'object', properties }, value, 'schema')).toContain(key);
  },
);

test('other additional keys follow the schema', () => {
  const schema = { properties: { id: {}, Id: {}, free: { type: 'object' } } };
  const value = { id: 1, Id: 2, more: { id: 1, ID: 2 }, free: { id: 1, ID: 2 } };
  expect(check.fault(schema, value, 'schema')).toBeUndefined();
});
