import { randomBytes } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, onTestFinished, test, vi } from 'vitest';
import { runInSlices, type Sliced } from '../../../src/base/async.ts';
import { rewriteLeaves } from '../../../src/redaction/json-leaves.ts';
import { callText, redactorOf, sent } from './redaction-fixture.ts';

// Large texts take long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

const masking = await redactorOf({ mode: 'mask', countries: ['CH'] });
const tokenizing = await redactorOf();

/** Long words and numbers for which patterns once failed, and other shapes. */
const VALUES: readonly (readonly [string, () => string])[] = [
  [
    'a picture of 4.3 MB in base64',
    () => JSON.stringify(randomBytes(4_300_000).toString('base64')),
  ],
  ['a word of 5.7 million letters', () => JSON.stringify('a'.repeat(5_700_000))],
  ['a number of 5.7 million digits', () => '1'.repeat(5_700_000)],
  ['a text of 500,000 digits', () => JSON.stringify('1'.repeat(500_000))],
  ['hexadecimal digits', () => JSON.stringify(randomBytes(150_000).toString('hex'))],
  ['many spaces', () => JSON.stringify(' '.repeat(300_000))],
  ['many quotes', () => JSON.stringify('"'.repeat(300_000))],
  ['many backslashes', () => JSON.stringify('\\'.repeat(300_000))],
  ['escapes of URLs', () => JSON.stringify('%41'.repeat(50_000))],
  ['points', () => JSON.stringify('a.'.repeat(100_000))],
  ['a token without an end', () => JSON.stringify(`eyJ${'a.'.repeat(100_000)}`)],
  ['a key of 200,000 characters', () => JSON.stringify({ ['k1'.repeat(100_000)]: 1 })],
  ['30,000 items', () => JSON.stringify(Array.from({ length: 30_000 }, (_, at) => at * 13))],
  ['300,000 levels', () => '['.repeat(300_000) + ']'.repeat(300_000)],
  ['300,000 levels in a text', () => JSON.stringify('['.repeat(300_000) + ']'.repeat(300_000))],
];

test.each(VALUES)(
  'forwards %s',
  async (_, make) => {
    const message = callText(null).replace('"arguments":null', `"arguments":{"value":${make()}}`);
    for (const redactor of [masking, tokenizing]) {
      const { json } = await redactor.toServer(message, { method: 'tools/call', tool: 'tool' });
      // Not compared by the test library, which would print both.
      expect(json === message).toBe(true);
    }
  },
  120_000,
);

test('leaves text that looks like personal data inside a picture unchanged', async () => {
  const letters = 'aB3/'.repeat(300);
  const picture = `${letters}/AB123456C/DE89370400440532013000+41446681800/${letters}`;
  expect(await sent(masking, { picture, html: `<img src="data:a/b;base64,${picture}">` })).toEqual({
    picture,
    html: `<img src="data:a/b;base64,${picture}">`,
  });
});

test.each([
  ['at its end', (text: string) => `${text} me@example.com`],
  [
    'at the boundary of two windows',
    (text: string) => `${text.slice(0, 16_380)}me@example.com ${text}`,
  ],
  ['across a boundary', (text: string) => `${text.slice(0, 16_384)}4111 1111 1111 1111 ${text}`],
  ['after an unbroken word', (text: string) => `${text.replaceAll(' ', '')} me@example.com`],
])('detects data in a long text %s', async (_, make) => {
  const text = make('word '.repeat(8_000));
  const got = (await sent(masking, text)) as string;
  expect(/example|4111/.test(got)).toBe(false);
});

test('hides a whole secret that is longer than a window', async () => {
  const lines = Array.from({ length: 1_000 }, () => randomBytes(48).toString('base64'));
  const key = ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----'].join('\n');
  const got = await sent(masking, {
    key: `a\n${key}\nb`,
    jwt: `x eyJhbGciOi.${'aB1'.repeat(20_000)} y`,
  });
  expect(got).toEqual({ key: 'a\n[redacted:private-key]\nb', jwt: 'x [redacted:token] y' });
});

test('redacts a compressed long text, and compresses it again', async () => {
  const text = 'some words of a text '.repeat(50_000);
  const got = await sent(masking, gzipSync(`${text} me@example.com`).toString('base64'));
  const plain = gunzipSync(Buffer.from(got as string, 'base64')).toString();
  expect(plain === `${text} [redacted:email]`).toBe(true);
});

/** Values of 5 MB with many finds, or with much encoded text. */
const HEAVY: readonly (readonly [string, () => unknown])[] = [
  ['groups of digits', () => '4111 '.repeat(1_000_000)],
  ['e-mail addresses', () => list(250_000, (at) => `u${at}@example.com`).join(' ')],
  [
    'JSON in a string',
    () => JSON.stringify(list(120_000, (at) => ({ id: at, to: `u${at}@a.example` }))),
  ],
  ['escapes of URLs', () => '%41'.repeat(1_600_000)],
  ['text in base64', () => Buffer.from('to me@example.com '.repeat(210_000)).toString('base64')],
];

test.each(HEAVY)('never delays other work for long with 5 MB of %s', async (_, make) => {
  const message = callText({ value: make() });
  const readMs = cpuMs(() => JSON.parse(Buffer.from(message).toString()));
  let longest = 0;
  let isOver = false;
  let before = process.cpuUsage();
  const take = () => {
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1000);
    before = process.cpuUsage();
    if (!isOver) setImmediate(take);
  };
  setImmediate(take);
  await masking.toServer(message, { method: 'tools/call', tool: 'tool' });
  // The last slice counts as well.
  await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  // CPU time, not elapsed time. A machine that parses the message slowly may take longer.
  expect(longest).toBeLessThan(Math.max(150, 5 * readMs));
});

function list<T>(length: number, make: (at: number) => T): T[] {
  return Array.from({ length }, (_, at) => make(at));
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

test('restores many tokens to the same bytes', async () => {
  const message = callText(Array.from({ length: 50 }, (_, at) => `u${at}@example.com `.repeat(50)));
  const { json } = await tokenizing.toServer(message, {});
  expect(json.includes('example')).toBe(false);
  expect((await tokenizing.toClient(json, {})).json === message).toBe(true);
});

test('other work runs while a large message is redacted', async () => {
  // Each clock reading takes longer than a slice may.
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 25));
  onTestFinished(() => clock.mockRestore());
  let turns = 0;
  let isOver = false;
  const take = () => {
    turns += 1;
    if (!isOver) setImmediate(take);
  };
  setImmediate(take);
  const text = '4111 '.repeat(20_000);
  const work = sent(masking, text);
  await work;
  isOver = true;
  // At least once for each window of text.
  expect(turns).toBeGreaterThan(text.length / (32 * 1024));
});

test('a small message is redacted without a pause', async () => {
  function* counted(work: Sliced<string>): Sliced<string> {
    for (;;) {
      const step = work.next();
      if (step.done) return step.value;
      yield;
    }
  }
  const leaves = { string: () => undefined, number: () => undefined };
  let isOver = false;
  const done = runInSlices(counted(rewriteLeaves('{"a":[1,"b"]}', leaves))).then(() => {
    isOver = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(isOver).toBe(true);
  await done;
});
