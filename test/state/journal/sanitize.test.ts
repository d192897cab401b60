import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { sanitizeValue } from '../../../src/state/journal/sanitize.ts';

const GONE = '[redacted]';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl';

test.each([
  'password',
  'dbPasswd',
  'client_secret',
  'token',
  'sessionToken',
  'X-Amz-Security-Token',
  'apiKey',
  'api_key',
  'x-api-key',
  'Authorization',
  'Set-Cookie',
  'credentials',
  'privateKey',
  'AccessKeyId',
])('the value of %s is never stored', (name) => {
  expect(sanitizeValue({ [name]: 'hunter2' })).toEqual({ [name]: GONE });
  expect(sanitizeValue({ deep: [{ [name]: { user: 'me', value: 'hunter2' } }] })).toEqual({
    deep: [{ [name]: GONE }],
  });
});

test('ordinary values are stored unchanged', () => {
  const value = {
    path: '/usr/local/lib/node_modules/some-package/index.js',
    commit: '8b3885b0c0ffee8b3885b0c0ffee8b3885b0c0ff',
    id: '123e4567-e89b-42d3-a456-426614174000',
    url: 'https://example.com/a?b=c#d',
    camel: 'createTheVeryLongIdentifierOfFortyLetter',
    email: 'me@example.com',
    maxTokens: 500,
    hasPassword: true,
    count: 1,
    nothing: null,
    list: ['a', 1, false],
  };
  expect(sanitizeValue(value)).toEqual(value);
});

test.each([
  ['an AWS access key id', 'key AKIAIOSFODNN7EXAMPLE.', `key ${GONE}.`],
  ['a temporary access key id', 'ASIAIOSFODNN7EXAMPLE', GONE],
  ['an AWS secret', `it is ${SECRET}!`, `it is ${GONE}!`],
  ['an AWS secret in a variable', `export X=${SECRET}`, `export X=${GONE}`],
  ['a JWT', `got ${TOKEN}, thanks`, `got ${GONE}, thanks`],
  ['a bearer token', 'Bearer abc.def-123', `Bearer ${GONE}`],
  ['a header', 'authorization: Basic dXNlcjpwYXNz\nhost: a', `authorization: ${GONE}\nhost: a`],
  ['cookies', 'Cookie: a=1; b=2', `Cookie: ${GONE}`],
  ['a URL with a password', 'postgres://me:p@ss@db:5432/x', `postgres://${GONE}@db:5432/x`],
  ['an assignment', 'DB_PASSWORD=hunter2 run', `DB_PASSWORD=${GONE} run`],
  ['a quoted assignment', `password: 'two words' run`, `password: ${GONE} run`],
  [
    'a signed URL',
    'https://s3/x?X-Amz-Signature=ab12&y=1',
    `https://s3/x?X-Amz-Signature=${GONE}&y=1`,
  ],
  [
    'a private key',
    '-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nrest',
    `${GONE}\nrest`,
  ],
  ['a private key without an end', '-----BEGIN PRIVATE KEY-----\nMIIE', GONE],
])('%s is removed from a text', (_, text, expected) => {
  expect(sanitizeValue(text)).toBe(expected);
  expect(sanitizeValue({ text: [text] })).toEqual({ text: [expected] });
});

test('JSON within a string is searched, at any depth', () => {
  const inner = JSON.stringify({ password: 'hunter2', user: 'me' });
  expect(sanitizeValue(inner)).toBe(JSON.stringify({ password: GONE, user: 'me' }));
  const twice = JSON.stringify([JSON.stringify({ inner })]);
  expect(JSON.stringify(sanitizeValue(twice))).not.toContain('hunter2');
  expect(JSON.stringify(sanitizeValue(`data: ${inner}`))).not.toContain('hunter2');
});

test.each([
  ['base64', (text: string) => Buffer.from(text).toString('base64')],
  ['hexadecimal digits', (text: string) => Buffer.from(text).toString('hex')],
  ['gzip in base64', (text: string) => gzipSync(text).toString('base64')],
  ['escapes of URLs', encodeURIComponent],
  ['signs without width', (text: string) => text.split('').join('\u200b')],
])('a secret in %s is removed', (_, wrapped) => {
  for (const secret of [SECRET, TOKEN, 'AKIAIOSFODNN7EXAMPLE']) {
    const text = wrapped(`it is ${secret}!`);
    for (const value of [text, `say ${text} twice`]) {
      expect(sanitizeValue(value)).not.toBe(value);
      expect(JSON.stringify(sanitizeValue(value))).not.toContain(text);
    }
  }
});

test('values that only resemble credentials are stored', () => {
  const text = 'a basic understanding of bearer token-based authentication';
  expect(sanitizeValue(text)).toBe(text);
});

test('no part of a long encoded text is stored', () => {
  const secrets = `${SECRET}\n`.repeat(20_000);
  const packed = gzipSync(Buffer.concat([Buffer.from(secrets), randomBytes(100_000)]));
  expect(sanitizeValue(packed.toString('base64'))).toMatch(/^\[\d+ characters\]$/);
});

test('a list of names and values is searched by name', () => {
  expect(
    sanitizeValue([
      { name: 'Authorization', value: 'abc' },
      { name: 'Accept', value: 'abc' },
    ]),
  ).toEqual([
    { name: 'Authorization', value: GONE },
    { name: 'Accept', value: 'abc' },
  ]);
});

test('a secret that is used as a name is removed', () => {
  expect(sanitizeValue({ AKIAIOSFODNN7EXAMPLE: 1 })).toEqual({ [GONE]: 1 });
});

describe('stored values are bounded', () => {
  test('long strings are cut and state their length', () => {
    expect(sanitizeValue('word '.repeat(1_000))).toBe(`${'word '.repeat(100)}… [5000 characters]`);
    expect(sanitizeValue('x'.repeat(500))).toBe('x'.repeat(500));
  });

  test('no secret is cut before it is recognized', () => {
    const text = `${'word '.repeat(98)}${TOKEN}`;
    expect(sanitizeValue(text)).not.toContain('eyJ');
  });

  test('many members, items and levels are cut', () => {
    expect((sanitizeValue(Array(1_000).fill(1)) as unknown[]).at(-1)).toBe('[950 more]');
    const wide = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`m${i}`, i]));
    expect(Object.keys(sanitizeValue(wide) as object)).toHaveLength(51);
    const deep: unknown[] = [];
    deep.push(deep);
    expect(JSON.stringify(sanitizeValue(deep))).toContain('too deep');
  });

  test.each([
    ['strings', Array(50).fill('€'.repeat(500))],
    ['lists of lists', Array(50).fill(Array(50).fill(Array(50).fill(1)))],
    ['long names', { ['n'.repeat(100_000)]: Array(50).fill({ ['m'.repeat(10_000)]: 1 }) }],
    ['one long text', 'x'.repeat(1_000_000)],
    ['JSON in JSON', JSON.stringify(Array(50).fill(JSON.stringify(Array(50).fill('"'.repeat(9)))))],
    ['control characters', Array(50).fill('\u0000'.repeat(400))],
  ])('8 KB of JSON hold everything that is stored of %s', (_, value) => {
    const json = JSON.stringify(sanitizeValue(value));
    expect(Buffer.byteLength(json)).toBeLessThanOrEqual(8 * 1024);
  });

  test('texts that are built to be slow are fast', () => {
    // The CPU time of this process alone, because other programs may use the machine.
    const begun = process.cpuUsage();
    const texts = [
      'a.'.repeat(50_000),
      'token'.repeat(20_000),
      `eyJ${'a'.repeat(100_000)}`,
      'a://'.repeat(25_000),
      '-----BEGIN PRIVATE KEY-----'.repeat(4_000),
    ];
    for (const text of texts) sanitizeValue(text);
    expect(process.cpuUsage(begun).user).toBeLessThan(2_000_000);
  });
});

test('a member named __proto__ is an ordinary member', () => {
  const value = sanitizeValue(JSON.parse('{"__proto__":{"admin":true}}')) as object;
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(JSON.stringify(value)).toBe('{"__proto__":{"admin":true}}');
});
