import { describe, expect, it } from 'vitest';
import { Judge, policyOf } from '../written-policy.ts';

/** The decision on a call with a forbidden (`deny_if`) or required (`conditions`) condition. */
function judged(by: 'deny_if' | 'conditions', condition: object, args: Record<string, unknown>) {
  const entry =
    by === 'deny_if' ? { deny_if: [condition] } : { rules: [{ conditions: [condition] }] };
  const text = JSON.stringify({ version: '1', default: 'allow', tools: { t: entry } });
  return new Judge([policyOf(text)]).call('t', args).split(' ')[0];
}

describe('a forbidden value', () => {
  it.each([
    [
      'eq',
      'prod',
      ['prod', 'PROD', ['prod'], { env: 'prod' }, '["prod"]', '"prod"', ' prod', 'ｐｒｏｄ'],
    ],
    ['eq', 5, [5, '5', '5.0', ' 5', [5], '[5]', { n: '5' }]],
    ['eq', true, [true, 'true', 'True', 1, '1', 'yes', ['on']]],
    ['eq', false, [false, 'false', 0, 'off']],
    [
      'in',
      ['kp', 'ir'],
      ['kp', 'KP', 'kp\ud800', 'k\ufe0fp', 'k\u3164p', ['us', 'ir'], '{"to":"kp"}'],
    ],
    ['not_in', ['us'], ['kp', ['us', 'kp'], ['us'], 'us\u200b']],
    ['neq', 'dev', ['prod', ['dev'], 'Dev']],
    ['contains', 'rm', ['rm -rf', 'RM -rf', ['rm -rf'], { a: ['x', 'rm'] }, '"r\\u006d"']],
    ['regex', '^rm', ['rm', ['rm'], { a: 'rm' }, '["rm"]']],
    ['exists', true, ['x', null]],
    ['exists', false, [null]],
    ['gt', 5, [6, '6', [1], null]],
  ] as const)(
    '%s %j is denied in every form that a lenient server might accept',
    (op, value, values) => {
      for (const x of values) {
        expect([x, judged('deny_if', { path: 'args.x', op, value }, { x })]).toEqual([x, 'deny']);
      }
    },
  );

  it('is found if a list, or JSON in a string, replaces an object', () => {
    const condition = { path: 'args.item.price', op: 'gt', value: 100 };
    const price = 101;
    for (const item of [
      { price },
      [{ price }],
      [[{ Price: price }]],
      `{"price":${price}}`,
      [`[{"price":${price}}]`],
    ]) {
      expect([item, judged('deny_if', condition, { item })]).toEqual([item, 'deny']);
    }
    expect(judged('deny_if', condition, { item: [{ price: 100 }] })).toBe('allow');
  });

  it('is assumed for a value that is too large to check', () => {
    const x = new Array(200_000).fill('dev');
    expect(judged('deny_if', { path: 'args.x', op: 'eq', value: 'prod' }, { x })).toBe('deny');
  });

  it.each([
    ['eq', 'prod', ['dev', ['dev'], 'production', 5, null, '{', '[prod']],
    ['eq', 5, [6, '6', '', 'five', null]],
    ['contains', 'rm', ['ram', ['r', 'm']]],
  ] as const)('%s %j allows other values', (op, value, values) => {
    for (const x of values) {
      expect([x, judged('deny_if', { path: 'args.x', op, value }, { x })]).toEqual([x, 'allow']);
    }
  });
});

describe('a required value', () => {
  it.each([
    ['neq', 5, [6, null, 'five'], [5, '5', '5.0', [5]]],
    ['neq', 'main', ['dev', null], ['main', 'Main', ['main'], 'main\u200b', ' main', '"main"']],
    ['not_in', ['kp'], ['us', ['us']], ['kp', ['kp'], { to: 'kp' }, '["kp"]']],
    ['eq', 1, [1, '1'], ['1.0', ' 1', [1], true]],
    ['eq', 9007199254740992, [], [9007199254740992]],
    ['in', [1, 'a'], ['1', 'a'], ['A', ['a']]],
    ['contains', 'a', ['a b', ['a']], [['a b'], { a: 'a' }]],
    ['exists', true, ['', 0, false], [null]],
    ['exists', false, [null], ['', 0]],
  ] as const)('%s %j matches only if every server would read it so', (op, value, good, bad) => {
    const condition = { path: 'args.x', op, value };
    for (const x of good) expect([x, judged('conditions', condition, { x })]).toEqual([x, 'allow']);
    for (const x of bad) expect([x, judged('conditions', condition, { x })]).toEqual([x, 'deny']);
  });

  it('is read from one key alone', () => {
    const judge = new Judge([
      policyOf('version: "1"\ntools: { pay: { rules: [{ spend: { per_call: 10 } }] } }'),
    ]);
    expect(judge.call('pay', { amount: 5 })).toBe('allow');
    expect(judge.call('pay', { amount: 5, Amount: 500 })).toBe('deny /tools/pay/rules/0');
  });
});
