import { describe, expect, it } from 'vitest';
import { Judge, mistakesIn, policyOf } from '../written-policy.ts';

/** A policy with each feature of Intercept's YAML. */
const SHOP = `
version: "1"
default: deny
hide: [drop_index]
tools:
  search_orders: { rules: [] }
  purge_cache: { rules: [{ name: never, action: deny, on_deny: "Ask the platform team" }] }
  export_report:
    rules:
      - name: shape
        conditions:
          - { path: args.format, op: in, value: [csv, json] }
          - { path: args.raw_sql, op: exists, value: false }
      - { name: pace, rate_limit: 20/hour }
      - name: row-budget
        conditions: [{ path: state.export_report.rows, op: lte, value: 50000 }]
        state: { counter: rows, window: day, increment_from: args.limit }
  issue_credit:
    rules: [{ name: large, action: require_approval, conditions: [{ path: args.amount, op: gt, value: 500 }], approval_timeout: 30m }]
  "*": { rules: [{ name: all, rate_limit: 60/minute }] }
`;

const shop = () => new Judge([policyOf(SHOP)]);
const report = { format: 'csv', limit: 10 };

describe('a policy in Intercept’s YAML', () => {
  it('allows a listed tool without rules, and denies an unlisted one under "default: deny"', () => {
    const judge = shop();
    expect(judge.call('search_orders')).toBe('allow');
    expect(judge.call('something_else')).toBe('deny /default');
    expect(judge.isListed('search_orders')).toBe(true);
    expect(judge.isListed('something_else')).toBe(false);
  });

  it('hides a tool from lists and denies its calls', () => {
    const judge = shop();
    expect(judge.isListed('drop_index')).toBe(false);
    expect(judge.call('drop_index')).toBe('deny /hide/0');
    expect(judge.said).toBe('The tool "drop_index" is hidden by policy');
  });

  it('hides all tools by "*"', () => {
    const judge = new Judge([policyOf('version: "1"\nhide: ["*"]\ntools: {}')]);
    expect(judge.isListed('anything')).toBe(false);
    expect(judge.call('anything')).toBe('deny /hide/0');
  });

  it('denies by "action: deny" with its message', () => {
    const judge = shop();
    expect(judge.call('purge_cache')).toBe('deny /tools/purge_cache/rules/0');
    expect(judge.said).toBe('Ask the platform team');
    expect(judge.isListed('purge_cache')).toBe(false);
  });

  it('requires all conditions of a rule', () => {
    const judge = shop();
    expect(judge.call('export_report', report)).toBe('allow');
    const rule = 'deny /tools/export_report/rules/0';
    expect(judge.call('export_report', { ...report, format: 'xml' })).toBe(rule);
    expect(judge.call('export_report', { ...report, raw_sql: 'select 1' })).toBe(rule);
    expect(judge.call('export_report', { limit: 1 })).toBe(rule);
  });

  it('counts calls by rate_limit', () => {
    const judge = shop();
    for (let calls = 0; calls < 20; calls++)
      expect(judge.call('export_report', report)).toBe('allow');
    expect(judge.call('export_report', report)).toBe('deny /tools/export_report/rules/1');
    expect(judge.said).toBe('Rate limit of 20 per hour reached. Try again later.');
  });

  it('counts amounts by increment_from, up to and including an lte', () => {
    const judge = shop();
    expect(judge.call('export_report', { format: 'csv', limit: 49_999 })).toBe('allow');
    expect(judge.call('export_report', { format: 'csv', limit: 2 })).toBe(
      'deny /tools/export_report/rules/2',
    );
    expect(judge.call('export_report', { format: 'csv', limit: 1 })).toBe('allow');
  });

  it.each([[{}], [{ limit: '10' }], [{ limit: -5 }], [{ limit: null }]])(
    'names the rule if the counted value is not a number: %j',
    (args) => {
      const judge = shop();
      expect(judge.call('export_report', { format: 'csv', ...args })).toBe(
        'deny /tools/export_report/rules/2',
      );
      expect(judge.said).toContain('args.limit');
    },
  );

  it('requires approval if the conditions of require_approval match', () => {
    const judge = shop();
    expect(judge.call('issue_credit', { amount: 500 })).toBe('allow');
    expect(judge.call('issue_credit', { amount: 501 })).toBe('ask /tools/issue_credit/rules/0');
    expect(judge.call('issue_credit', {})).toBe('allow');
  });

  it('applies the rules of "*" to every listed tool, with one counter', () => {
    const judge = shop();
    for (let calls = 0; calls < 60; calls++) expect(judge.call('search_orders')).toBe('allow');
    expect(judge.call('issue_credit', { amount: 1 })).toBe('deny /tools/*/rules/0');
  });

  it('keeps a total below an lt', () => {
    const judge = new Judge([
      policyOf(`
version: "1"
tools:
  pay:
    rules:
      - name: cap
        conditions: [{ path: state.pay.spent, op: lt, value: 100 }]
        state: { counter: spent, window: day, increment_from: args.amount }
`),
    ]);
    expect(judge.call('pay', { amount: 99 })).toBe('allow');
    expect(judge.call('pay', { amount: 1 })).toBe('deny /tools/pay/rules/0');
  });

  it('compares a counter of another tool, and of all', () => {
    const judge = new Judge([
      policyOf(`
version: "1"
tools:
  read: { rules: [{ name: count, state: { counter: reads, window: day } }] }
  write:
    rules:
      - { name: after, conditions: [{ path: state.read.reads, op: gte, value: 1 }] }
      - { name: early, conditions: [{ path: state._global.calls, op: lt, value: 3 }] }
  "*": { rules: [{ name: all, state: { counter: calls, window: minute } }] }
`),
    ]);
    expect(judge.call('write')).toBe('deny /tools/write/rules/0');
    expect(judge.call('read')).toBe('allow');
    expect(judge.call('write')).toBe('allow');
    expect(judge.call('read')).toBe('allow');
    expect(judge.call('write')).toBe('deny /tools/write/rules/1');
  });

  it.each([
    ['eq', 'main', 'main', 'dev'],
    ['neq', 'draft', 'final', 'draft'],
    ['in', ['usd', 'eur'], 'eur', 'gbp'],
    ['not_in', ['admin'], 'user', 'admin'],
    ['lt', 100, 99, 100],
    ['lte', 100, 100, 101],
    ['gt', 0, 1, 0],
    ['gte', 1, 1, 0],
    ['regex', '^feat/', 'feat/x', 'fix/feat/x'],
    ['contains', 'test', 'a test', 'a toast'],
    ['contains', 'a', ['a', 'b'], ['b']],
    ['exists', true, 'x', undefined],
    ['exists', false, undefined, 'x'],
  ])('has the operator %s %j, which %j meets and %j does not', (op, value, good, bad) => {
    const judge = new Judge([
      policyOf(
        JSON.stringify({
          version: '1',
          tools: { t: { rules: [{ name: 'r', conditions: [{ path: 'args.a.b', op, value }] }] } },
        }),
      ),
    ]);
    const call = (b: unknown) => judge.call('t', { a: b === undefined ? {} : { b } });
    expect(call(good)).toBe('allow');
    expect(call(bad)).toBe('deny /tools/t/rules/0');
    if (op !== 'exists') expect(call(undefined)).toBe('deny /tools/t/rules/0');
  });

  it.each([
    ['version: "2"\ntools: {}', 'policy.yaml:1:1: version: version must be "1"'],
    ['version: "1"\ndefault: maybe', 'policy.yaml:2:1: default: '],
    ['version: "1"\nhide: [a, a]', 'policy.yaml:2:11: hide.1: duplicate entry "a"'],
    ['version: "1"\nhide: [""]', 'policy.yaml:2:8: hide.0: an entry must not be empty'],
    [
      'version: "1"\ntools:\n  a:\n    rules: [{ name: r }]',
      'policy.yaml:4:13: tools.a.rules.0: a rule that evaluates needs',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, action: deny, conditions: [{ path: args.x, op: exists, value: true }] }',
      'policy.yaml:5:34: tools.a.rules.0.conditions: deny rules have no conditions',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, rate_limit: 5/fortnight }',
      'policy.yaml:5:20: tools.a.rules.0.rate_limit: expected N/minute',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, conditions: [{ path: user.x, op: eq, value: 1 }] }',
      'policy.yaml:5:35: tools.a.rules.0.conditions.0.path: expected args.NAME',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, conditions: [{ path: args.x, op: in, value: 1 }] }',
      'policy.yaml:5:57: tools.a.rules.0.conditions.0.value: operator "in" wants a list',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, conditions: [{ path: args.x, op: regex, value: "(" }] }',
      'policy.yaml:5:60: tools.a.rules.0.conditions.0.value: is not a regular expression',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, rate_limit: 5/hour }\n      - { name: s, rate_limit: 6/hour }',
      'policy.yaml:6:9: tools.a.rules.1: counts "a._rate_hour" a second time',
    ],
    [
      'version: "1"\ntools:\n  a:\n    rules:\n      - { name: r, conditions: [{ path: state.b.c, op: lt, value: 1 }] }',
      'policy.yaml:5:35: tools.a.rules.0.conditions.0.path: no rule of this document counts "state.b.c"',
    ],
    ['version: "1"\ntools: {}\nalow: [x]', 'policy.yaml:3:1: alow: there is no such field'],
    ['version: "1"\ntools: {}\ntools: {}', 'policy.yaml:3:1: Map keys must be unique'],
    ['version: "1\n', 'policy.yaml:2:1: Missing closing "quote'],
  ])('reports the position of a mistake: %j', (text, expected) => {
    expect(mistakesIn(text).join('\n')).toContain(expected);
  });
});
