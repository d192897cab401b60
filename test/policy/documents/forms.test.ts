import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createPolicyJsonSchema } from '../../../src/policy/documents/schema.ts';
import { parseHints } from '../../../src/relay/tool-catalog.ts';
import { Judge, mistakesIn, policyOf } from '../written-policy.ts';
import { INVALID, VALID } from './examples.ts';

const tool = (annotations: Record<string, unknown>, inputSchema: object = { type: 'object' }) => ({
  tool: { hints: parseHints(annotations), inputSchema },
});

describe('the JSON schema of policies', () => {
  it('is the one that editors use', async () => {
    const text = `${JSON.stringify(createPolicyJsonSchema(), null, 2)}\n`;
    await expect(text).toMatchFileSnapshot('../../../schemas/policy.schema.json');
  });

  const validate = new Ajv({ strict: false }).compile(createPolicyJsonSchema());
  it.each(Object.entries(VALID))('accepts %s, as the parser does', (_, text) => {
    expect(mistakesIn(text)).toEqual([]);
    expect(validate(parse(text, { merge: true })), JSON.stringify(validate.errors)).toBe(true);
  });
  it.each(Object.entries(INVALID))('rejects %s, as the parser does', (_, text) => {
    expect(mistakesIn(text)).not.toEqual([]);
    expect(validate(parse(text, { merge: true }))).toBe(false);
  });
});

describe('YAML syntax', () => {
  it('includes merge keys, and a document of comments alone is empty', () => {
    const one = new Judge([policyOf(VALID['YAML as people leave it'] as string)]);
    for (let calls = 0; calls < 5; calls++) expect(one.call('create_comment')).toBe('allow');
    expect(one.call('create_comment')).toBe('deny /tools/create_comment/rules/0');
    expect(one.said).toBe('Rate limit of 5 per hour reached. Try again later.');
    for (const tool of ['create_issue', 'delete_repository', 'list_issues', 'other']) {
      expect(one.call(tool)).toBe('allow');
    }
  });

  it.each([
    ['tools: { __proto__: { rules: [] } }', '2:10: tools.__proto__: cannot be the name'],
    [
      'redact: { patterns: [{ name: a, pattern: "(" }] }',
      '2:33: redact.patterns.0.pattern: is not',
    ],
    [
      'redact: { patterns: [{ name: a, pattern: "(?=x)" }] }',
      '2:33: redact.patterns.0.pattern: is not',
    ],
    ['redact: { countries: [DE, UK] }', '2:27: redact.countries.1: is the code of no country'],
  ])('is rejected with the position of the mistake: %s', (text, expected) => {
    expect(mistakesIn(`version: "1"\n${text}`)[0]).toContain(`policy.yaml:${expected}`);
  });
});

describe('PolicyLayer’s JSON', () => {
  const judge = () =>
    new Judge([policyOf(VALID['PolicyLayer’s JSON'] as string)], { caller: 'arn:x' });

  it('allows tools listed with {}, and no others', () => {
    expect(judge().call('list_x')).toBe('allow');
    expect(judge().call('list_y')).toBe('deny /default');
    expect(judge().call('wipe')).toBe('deny /hide/0');
  });

  it('enforces required conditions, and denies with deny_if', () => {
    const rules = '/tools/invoke_function';
    expect(judge().call('invoke_function', {})).toBe(`deny ${rules}/require/0`);
    expect(judge().call('invoke_function', { reason: 'x', amount: 1 })).toBe('allow');
    const over = { reason: 'x', amount: 10_001 };
    expect(judge().call('invoke_function', over)).toBe(`deny ${rules}/deny_if/0`);
  });

  it('names the reached limit by its pointer', () => {
    const one = judge();
    for (let calls = 0; calls < 10; calls++) one.call('invoke_function', { reason: 'x' });
    expect(one.call('invoke_function', { reason: 'x' })).toBe(
      'deny /tools/invoke_function/limits/0',
    );
  });

  it('denies an unknown identity', () => {
    const one = new Judge([policyOf(VALID['PolicyLayer’s JSON'] as string)]);
    expect(one.call('list_x')).toBe('deny ');
    expect(one.isListed('list_x')).toBe(false);
  });
});

describe('a snippet of the catalogues', () => {
  const judge = () => new Judge([policyOf(VALID['a snippet of a catalogue'] as string)]);
  const invoke = tool({}, { type: 'object', required: ['prompt'] });

  it('limits calls in the last seconds, and enforces required arguments', () => {
    const one = judge();
    const call = (args: Record<string, unknown>) => one.call('invoke_agent_runtime', args, invoke);
    const rule = 'deny /tools/invoke_agent_runtime/rules/0';
    expect(call({})).toBe(rule);
    expect(one.said).toContain('"prompt" is missing');
    for (let calls = 0; calls < 10; calls++) expect(call({ prompt: 'x' })).toBe('allow');
    expect(call({ prompt: 'x' })).toBe(rule);
    expect(one.said).toContain('10 per 60 s');
  });

  it('shows the agent the reason of a denial', () => {
    const one = judge();
    expect(one.call('delete_agent_runtime')).toBe('deny /tools/delete_agent_runtime/rules/0');
    expect(one.said).toBe('Destructive');
  });
});

describe('our additions to the YAML form', () => {
  const ADMIN = 'arn:aws:sts::123456789012:assumed-role/Admin/me';
  const judge = (caller = 'arn:aws:iam::123456789012:user/u') =>
    new Judge([policyOf(VALID['our additions'] as string)], {
      caller,
      spent: () => ({ usd: 1, sessions: 1 }),
    });

  it('accept globs, and list the matching tools', () => {
    const one = judge();
    expect(one.isListed('read_orders')).toBe(true);
    expect(one.isListed('write_orders')).toBe(false);
  });

  it('give the tools of one runtime to that runtime', () => {
    const policy = policyOf(
      'version: "1"\ndefault: deny\nruntimes: [{ match: [shop], tools: { sell: { rules: [] } } }]',
    );
    expect(new Judge([policy]).call('sell')).toBe('allow');
    const runtime = 'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/other-abcdefghij';
    expect(new Judge([policy], { runtime }).call('sell')).toBe('deny /default');
  });

  it('identify a caller by the assumed role', () => {
    const policy = policyOf(`
version: "1"
default: deny
callers: [{ match: ["arn:aws:iam::*:role/Admin"], default: allow }]
`);
    expect(new Judge([policy], { caller: ADMIN }).call('anything')).toBe('allow');
    expect(new Judge([policy], { caller: 'arn:aws:iam::1:user/u' }).call('x')).toBe(
      'deny /default',
    );
  });

  it('list the tools of each caller’s catalog', () => {
    const policy = policyOf(`
version: "1"
callers:
  - { match: ["*"], catalog: ["read_*"] }
  - { match: ["*role/Admin"], catalog: ["*"] }
`);
    const one = new Judge([policy]);
    expect(one.isListed('delete_all', ADMIN)).toBe(true);
    expect(one.isListed('delete_all', 'arn:aws:iam::1:user/u')).toBe(false);
    expect(one.isListed('read_all', 'arn:aws:iam::1:user/u')).toBe(true);
  });

  it('check the arguments by the tool’s own schema', async () => {
    const one = judge();
    await one.schemas.prepare();
    const schema = {
      type: 'object',
      properties: { id: { type: 'integer' } },
      additionalProperties: false,
    };
    const call = (args: Record<string, unknown>) =>
      one.call('read_orders', args, tool({ readOnlyHint: true }, schema));
    expect(call({ id: 1 })).toBe('allow');
    expect(call({ id: '1' })).toBe('deny /tools/read_*/rules/0');
    expect(call({ id: 1, more: true })).toBe('deny /tools/read_*/rules/0');
    expect(one.call('read_orders', { id: 1 })).toBe('deny /tools/read_*/rules/0');
  });

  it('accept one match of any_of, and require all of all_of', () => {
    const policy = policyOf(`
version: "1"
tools:
  pay:
    rules:
      - any_of:
          - { path: args.currency, op: eq, value: usd }
          - all_of: [{ path: args.currency, op: eq, value: eur }, { path: args.amount, op: lt, value: 10 }]
`);
    const one = new Judge([policy]);
    expect(one.call('pay', { currency: 'usd', amount: 99 })).toBe('allow');
    expect(one.call('pay', { currency: 'eur', amount: 9 })).toBe('allow');
    expect(one.call('pay', { currency: 'eur', amount: 99 })).toBe('deny /tools/pay/rules/0');
  });

  it('match tools by their annotations, and treat a tool without annotations as destructive', () => {
    const policy = policyOf('version: "1"\napprove: [destructive]');
    const one = new Judge([policy]);
    expect(one.call('a', {}, tool({ readOnlyHint: true }))).toBe('allow');
    expect(one.call('a', {}, tool({ destructiveHint: false }))).toBe('allow');
    expect(one.call('a', {}, tool({}))).toBe('ask /approve/0');
    expect(one.call('a')).toBe('ask /approve/0');
  });

  it('limit an argument, for one call and for a day', () => {
    const policy = policyOf(
      'version: "1"\ntools: { pay: { rules: [{ spend: { per_call: 10, daily: 15 } }] } }',
    );
    const one = new Judge([policy]);
    const rule = 'deny /tools/pay/rules/0';
    expect([11, 10, 6, 5, 1].map((amount) => one.call('pay', { amount }))).toEqual([
      rule,
      'allow',
      rule,
      'allow',
      rule,
    ]);
  });

  it('have budgets in US$ and in sessions', () => {
    const policy = policyOf(
      'version: "1"\nbudgets: [{ usd: 5, window: day }, { sessions: 2, window: hour }]',
    );
    const with_ = (usd: number, sessions: number) =>
      new Judge([policy], { spent: () => ({ usd, sessions }) });
    expect(with_(4.9, 2).call('x')).toBe('allow');
    expect(with_(5, 1).call('x')).toBe('deny /budgets/0');
    expect(with_(1, 2).message('initialize')).toBe('deny /budgets/1');
    expect(with_(1, 1).message('initialize')).toBe('allow');
    expect(new Judge([policy]).call('x')).toBe('deny /budgets/0');
  });

  it('cover methods of both sides, prompts and resources', () => {
    const policy = policyOf(`
version: "1"
default: deny
hide_resources: ["file:///etc/*"]
resources: { "file:///*": { rules: [] } }
prompts: { hello: { rules: [] } }
methods:
  sampling/createMessage: { rules: [{ action: deny, reason: no sampling }] }
  logging/setLevel: { rules: [{ conditions: [{ path: params.level, op: neq, value: debug }] }] }
`);
    const one = new Judge([policy]);
    expect(one.message('sampling/createMessage', {}, { from: 'server' })).toBe(
      'deny /methods/sampling~1createMessage/rules/0',
    );
    expect(one.message('logging/setLevel', { level: 'info' })).toBe('allow');
    expect(one.message('logging/setLevel', { level: 'debug' })).toContain('deny');
    expect(one.message('resources/read', { uri: 'file:///srv/x' })).toBe('allow');
    for (const uri of [
      'file:///etc/x',
      'file:///srv/../etc/x',
      'file:///%65tc/x',
      'file:///srv/%2e%2e/etc/x',
    ]) {
      expect(one.message('resources/read', { uri })).toBe('deny /hide_resources/0');
    }
    expect(one.message('resources/read', { uri: 'docs:x' })).toBe('deny /default');
    expect(one.message('prompts/get', { name: 'hello' })).toBe('allow');
    expect(one.message('prompts/get', { name: 'other' })).toBe('deny /default');
    expect(one.message('x/unheard-of')).toBe('deny /default');
  });
});

describe('several documents', () => {
  const organisation = policyOf(
    'version: "1"\nhide: [drop]\ntools: { pay: { rules: [{ rate_limit: 1/hour }] } }',
    'o',
  );
  const lenient = policyOf(
    'version: "1"\ndefault: allow\ntools: { drop: { rules: [] }, pay: { rules: [] } }',
    'w',
  );
  const strict = policyOf(
    'version: "1"\ndefault: deny\ntools: { pay: { rules: [{ action: require_approval }] } }',
    's',
  );

  it('can only tighten one another, in any order', () => {
    for (const policies of [
      [organisation, lenient],
      [lenient, organisation],
    ]) {
      const one = new Judge(policies);
      expect(one.isListed('drop')).toBe(false);
      expect(one.call('drop')).toBe('deny /hide/0');
      expect(one.call('pay')).toBe('allow');
      expect(one.call('pay')).toBe('deny /tools/pay/rules/0');
    }
  });

  it('apply the strictest effect: deny before approval before allow', () => {
    expect(new Judge([lenient, strict]).call('pay')).toBe('ask /tools/pay/rules/0');
    expect(new Judge([lenient, strict]).call('other')).toBe('deny /default');
    expect(new Judge([strict, organisation]).call('drop')).toMatch(/^deny/);
  });
});

describe('a confusable value', () => {
  const denying = policyOf(`
version: "1"
tools:
  delete_db: { rules: [{ action: deny }] }
  pay: { deny_if: [{ path: args.amount, op: gt, value: 500 }, { path: args.to, op: contains, value: evil }], rules: [] }
`);
  it.each([
    'Delete_DB',
    'delete_db\u200b',
    'ｄelete_db',
    'dеlete_db',
    ' delete_db',
    'delete_db\0',
    'délete_db',
  ])('does not bypass a deny: %j', (name) =>
    expect(new Judge([denying]).call(name)).toMatch(/^deny/),
  );

  it.each(['Read', 'read\u200b', 'ｒead', 'rеad', ' read'])(
    'does not match an allow: %j',
    (name) => {
      const policy = policyOf('version: "1"\ndefault: deny\ntools: { read: { rules: [] } }');
      expect(new Judge([policy]).call(name)).toMatch(/^deny/);
    },
  );

  it.each([
    { amount: '501' },
    { amount: ' 1e9 ' },
    { amount: [501] },
    { amount: null },
    { amount: true },
    { Amount: 501 },
    { amount: 1, AMOUNT: 501 },
    { to: 'e\u200bvil' },
    { to: 'ｅｖｉｌ' },
    { to: { name: 'evil' } },
  ])('is denied if a server might read a forbidden value: %j', (args) => {
    expect(new Judge([denying]).call('pay', args)).toMatch(/^deny/);
  });

  it.each([
    'Tools/Call',
    'tools/call ',
    'tools\\call',
    'ｔools/call',
    'tools/\u200bcall',
    'TOOLS/CALL',
    'toolscall',
  ])('is not a method: %j', (method) =>
    expect(new Judge([denying]).message(method, { name: 'delete_db' })).toMatch(/^deny/),
  );
});

describe('numbers in YAML', () => {
  const most = (text: string) =>
    policyOf(
      `version: "1"\ndefault: allow\ntools: { t: { limits: [{ counter: n, window: day, max: ${text} }] } }`,
    ).body.entries[0]?.rules[0];

  it.each([
    ['0100', 64],
    ['1_000', 1000],
    ['0x1F', 31],
    ['0b101', 5],
    ['0o14', 12],
    ['08', 8],
    ['+1', 1],
    ['.5', 0.5],
    ['1e3', 1000],
    ['1_000.5', 1000.5],
    ['!!int "0100"', 64],
  ])('have the same value as in Intercept: %s', (text, expected) => {
    expect(most(text)).toMatchObject({ most: expected });
  });

  const compared = (text: string) =>
    `version: "1"\ndefault: allow\ntools: { t: { deny_if: [{ path: args.a, op: eq, value: ${text} }] } }`;

  it.each([
    ['12:30:45', '12:30:45'],
    ['yes', 'yes'],
    ['on', 'on'],
    ['_1', '_1'],
    ['!!str 0100', '0100'],
  ])('are strings if Intercept reads them as strings: %s', (text, value) => {
    const judge = new Judge([policyOf(compared(text))]);
    expect(judge.call('t', { a: value })).toBe('deny /tools/t/deny_if/0');
    expect(judge.call('t', { a: 'other' })).toBe('allow');
  });

  it.each([
    ['2026-01-01', 'is a date. Put it in quotes'],
    ['9007199254740993', 'is too large to be compared exactly'],
    ['.inf', 'is no number that can be compared'],
    ['!!binary aGk=', 'Unresolved tag'],
  ])('are rejected with the reason: %s', (text, reason) => {
    expect(mistakesIn(compared(text)).join()).toContain(reason);
  });

  it('keep their value despite a directive, and names are never numbers', () => {
    const document = policyOf(
      '%YAML 1.1\n---\nversion: "1"\nhide: [no, "1"]\ntools: { 0100: { rules: [] } }',
    );
    expect(document.body.entries[0]?.name.text).toBe('0100');
    expect(document.body.hidden.map(({ name }) => name.text)).toEqual(['no', '1']);
    expect(
      mistakesIn('version: "1"\ntools: { 1: { rules: [] }, "1": { rules: [] } }').join(),
    ).toContain('unique');
  });
});
