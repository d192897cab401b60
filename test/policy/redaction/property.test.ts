import { expect, test } from 'vitest';
import { Random } from '../../campaign/random.ts';
import { callText, redactorOf } from './redaction-fixture.ts';
import { ORDINARY, SAMPLES } from './samples.ts';

/** Keep every seed that has once found a bug. */
const SEEDS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233];
const ROUNDS = 60;

const TEXTS = [...Object.values(SAMPLES).flat(), ...ORDINARY];
const SCRAPS = [
  '',
  ' ',
  '\n',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '<',
  '>',
  '&lt;',
  '%3C',
  '%',
  '\\u003c',
  '\u200b',
  '\u0000',
  '\ud800',
  '\u{1f600}',
  '１',
  '@',
  '+',
  '-',
  '.',
  '=',
  '/',
  '1',
  '42',
  'a',
  'Zz',
  'é',
  'me',
  '__proto__',
  'data:text/plain;base64,',
  'bearer ',
  'null',
  '[redacted:email]',
  '<email:',
];

function textOf(random: Random): string {
  const count = random.from(0, 6);
  const parts = Array.from({ length: count }, () =>
    random.pick(random.chance(0.4) ? TEXTS : SCRAPS),
  );
  const text = parts.join('');
  return random.weighted<() => string>([
    [6, () => text],
    [1, () => encodeURIComponent(text.toString().replace(/[\ud800-\udfff]/g, '?'))],
    [1, () => Buffer.from(text).toString('base64')],
    [1, () => Buffer.from(text).toString('base64url')],
    [1, () => text.slice(random.from(0, text.length))],
  ])();
}

function someValue(random: Random, depth: number): unknown {
  const isLeaf = depth === 0 || random.chance(0.4);
  if (isLeaf) {
    return random.weighted<() => unknown>([
      [8, () => textOf(random)],
      [1, () => random.pick([4111111111111111, 5555555555554444, 44051401359, 7, -1.5e300, 0.1])],
      [1, () => random.pick([true, false, null])],
    ])();
  }
  const children = Array.from({ length: random.from(0, 4) }, () => someValue(random, depth - 1));
  return random.weighted<() => unknown>([
    [3, () => children],
    [3, () => Object.fromEntries(children.map((child) => [textOf(random), child]))],
    [2, () => JSON.stringify(children)],
    [1, () => children.map((child) => JSON.stringify(child)).join('\n')],
    [1, () => JSON.stringify(children, null, 2).slice(0, random.from(0, 400))],
  ])();
}

test.each(SEEDS)('seed %d: tokens are restored to the same bytes', async (seed) => {
  const random = new Random(seed);
  const redactor = await redactorOf();
  for (let round = 0; round < ROUNDS; round++) {
    const text = callText(someValue(random, 4));
    const { json } = await redactor.toServer(text, {});
    JSON.parse(json);
    const back = await redactor.toClient(json, {});
    expect(back.json, `seed ${seed}, round ${round}`).toBe(text);
  }
});

test.each(SEEDS)('seed %d: no hidden value is left, and the result is JSON', async (seed) => {
  const random = new Random(seed);
  for (const mode of ['mask', 'hash', 'tokenize'] as const) {
    const redactor = await redactorOf({ mode });
    for (let round = 0; round < ROUNDS; round++) {
      const { json } = await redactor.toServer(callText(hiddenIn(random, 5)), {});
      const texts = textsIn(JSON.parse(json)).join('\n');
      const left = HIDDEN.filter((sample) => texts.includes(sample));
      expect(left, `seed ${seed}, round ${round}, ${mode}`).toEqual([]);
    }
  }
});

const HIDDEN = Object.values(SAMPLES).flat();

/** A value that contains a sample in random wrapping. */
function hiddenIn(random: Random, depth: number): unknown {
  const text = [random.pick(ORDINARY), random.pick(HIDDEN), random.pick(ORDINARY)].join(' | ');
  if (depth === 0) return text;
  const inner = hiddenIn(random, depth - 1);
  const json = JSON.stringify(inner);
  return random.weighted<() => unknown>([
    [2, () => [text, inner]],
    [2, () => ({ [text]: inner, other: random.pick(ORDINARY) })],
    [2, () => json],
    [1, () => `${json}\n\n${JSON.stringify(text)}`],
    [1, () => Buffer.from(typeof inner === 'string' ? inner : json).toString('base64')],
    [
      1,
      () => (typeof inner === 'string' && inner.length < 500 ? encodeURIComponent(inner) : [inner]),
    ],
  ])();
}

/** All strings of a value, and their content in JSON, base64 or URL encoding. */
function textsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(textsIn);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, child]) => [...textsIn(key), ...textsIn(child)]);
  }
  if (typeof value !== 'string') return [String(value)];
  const texts = [value];
  for (const line of new Set([value, ...value.split('\n')])) {
    try {
      texts.push(...textsIn(JSON.parse(line)));
    } catch {
      // Not JSON.
    }
  }
  if (value.length >= 16 && /^[\w+/=-]+$/.test(value)) {
    texts.push(...textsIn(Buffer.from(value, 'base64').toString()));
  }
  if (value.includes('%')) {
    try {
      texts.push(...textsIn(decodeURIComponent(value)));
    } catch {
      // Not URL-encoded.
    }
  }
  return texts;
}
