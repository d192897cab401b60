import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Environment } from '../../src/base/environment.ts';
import {
  runPolicyCheck,
  runPolicyExplain,
  runPolicyInit,
  runPolicyTest,
} from '../../src/cli/policy.ts';
import { parsePolicy } from '../../src/policy/documents/parser.ts';
import { runCli } from '../fixtures/cli-process.ts';
import { proxyTo } from '../fixtures/proxied-runtime.ts';
import { endWithTest } from '../fixtures/running.ts';
import { startGuarded } from '../policy/adversarial/guarded.ts';
import { VALID } from '../policy/documents/examples.ts';

const GOOD = VALID['Intercept’s YAML'] as string;
/** Excludes policies of this machine. */
const ENV = { XDG_CONFIG_HOME: '/nonexistent', APPDATA: 'C:\\nonexistent' };

async function written(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'agentcore-mcp-test-'));
  endWithTest(folder, () => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** Runs a command. Returns its output and its exit code. */
async function printed(
  verb: (streams: { stdout: PassThrough; stderr: PassThrough }) => Promise<number>,
): Promise<{ code: number; text: string }> {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const code = await verb(streams);
  streams.stdout.end();
  return { code, text: (await streams.stdout.toArray()).join('') };
}

describe('policy check', () => {
  it('reports that a document is valid, or each mistake with its position', async () => {
    const folder = await written({
      'good.yaml': GOOD,
      'bad.yaml': 'version: "1"\nhide: x\ntolls: {}',
    });
    const good = join(folder, 'good.yaml');
    const bad = join(folder, 'bad.yaml');
    const fine = await printed((streams) => runPolicyCheck({ files: [good] }, ENV, streams));
    expect(fine).toMatchObject({ code: 0, text: expect.stringContaining(`${good}: ok`) });
    expect(fine.text).not.toMatch(/\b1 (entries|rules|sections)\b/);
    const { code, text } = await printed((streams) =>
      runPolicyCheck({ files: [bad] }, ENV, streams),
    );
    expect(code).toBe(1);
    expect(text).toContain(`${bad}:2:1: hide: `);
    expect(text).toContain(`${bad}:3:1: tolls: there is no such field`);
    const json = await printed((streams) =>
      runPolicyCheck({ files: [bad], json: true }, ENV, streams),
    );
    expect(JSON.parse(json.text).problems[0]).toMatchObject({ file: bad, line: 2, column: 1 });
  });

  it('checks the policies of the proxy if no document is named', async () => {
    const folder = await written({ 'policy.yaml': GOOD });
    const file = join(folder, 'policy.yaml');
    const env = { ...ENV, AGENTCORE_POLICY: file };
    expect((await printed((streams) => runPolicyCheck({}, env, streams))).text).toContain(file);
    await expect(printed((streams) => runPolicyCheck({}, ENV, streams))).rejects.toThrow(
      /no policy/,
    );
  });
});

const urlOf = (arn: string) =>
  `https://bedrock-agentcore.us-west-2.amazonaws.com/runtimes/${encodeURIComponent(arn)}/invocations?qualifier=DEFAULT`;

describe('policy explain', () => {
  it('prints the decision, the rule with its line, and the counters', async () => {
    const folder = await written({ 'policy.yaml': GOOD });
    const files = [join(folder, 'policy.yaml')];
    const explain = (options: object) =>
      printed((streams) => runPolicyExplain({ files, ...options }, ENV, streams));
    const refused = await explain({ tool: 'delete_repository' });
    expect(refused).toEqual({
      code: 0,
      text: `deny: no\n  by ${files[0]}:7 /tools/delete_repository/rules/0\n`,
    });
    const allowed = await explain({ tool: 'create_issue' });
    expect(allowed.text).toContain('allow\n');
    expect(allowed.text).toContain(
      `counts 1 of 5 per hour (create_issue._rate_hour, session) by ${files[0]}:6`,
    );
    const json = await explain({ tool: 'transfer_repository', json: true });
    expect(JSON.parse(json.text)).toMatchObject({ effect: 'deny', rule: { pointer: '/hide/0' } });
  });

  it.each([
    ['its ARN', (arn: string) => arn],
    ['its invocation URL', urlOf],
    ['its percent-encoded ARN', encodeURIComponent],
    ['the ARN of an endpoint', (arn: string) => `${arn}/runtime-endpoint/prod`],
  ])('applies the rules for a runtime that is named by %s', async (_, addressOf) => {
    const arn = 'arn:aws:bedrock-agentcore:us-west-2:123456789012:runtime/shop-abcdefghij';
    const folder = await written({
      'policy.yaml': `version: "1"\ndefault: allow\nruntimes:\n  - match: ["${arn}"]\n    hide: [sell]\n`,
    });
    const files = [join(folder, 'policy.yaml')];
    const explain = (env: Environment, runtime?: string) =>
      printed((streams) => runPolicyExplain({ files, tool: 'sell', runtime }, env, streams));
    expect((await explain(ENV, addressOf(arn))).text).toMatch(/^deny/);
    const env = { ...ENV, AGENTCORE_AGENT_ARN: addressOf(arn) };
    expect((await explain(env)).text).toMatch(/^deny/);
    expect((await explain(ENV)).text).toMatch(/^allow/);
    await expect(explain(ENV, 'arn:aws:lambda:us-east-1:1:x')).rejects.toThrow('Not the ARN');
  });

  it('takes arguments, callers and tool annotations into account', async () => {
    const folder = await written({
      'policy.yaml': VALID['our additions'] as string,
      'tools.json': JSON.stringify({
        tools: [
          {
            name: 'read_x',
            inputSchema: { type: 'object', required: ['id'] },
            annotations: { readOnlyHint: true },
          },
        ],
      }),
    });
    const options = {
      files: [join(folder, 'policy.yaml')],
      tools: join(folder, 'tools.json'),
      tool: 'read_x',
      caller: 'arn:aws:iam::123456789012:user/u',
    };
    const explain = (args: string) =>
      printed((streams) => runPolicyExplain({ ...options, args }, ENV, streams));
    expect((await explain('{}')).text).toContain("must have required property 'id'");
    expect((await explain('{"id":1}')).text).toMatch(/^allow/);
    await expect(explain('[]')).rejects.toThrow('--args is not a JSON object');
  });
});

describe('policy test', () => {
  const EXAMPLES = `
policy: policy.yaml
examples:
  - { call: create_issue, expect: allow }
  - { call: create_issue, times: 5, expect: allow }
  - { call: create_issue, times: 6, expect: deny, rule: /tools/create_issue/rules/0 }
  - { call: charge, args: { amount: 1000 }, expect: deny }
  - { method: tools/list, expect: allow }
`;

  it('checks a policy against its examples', async () => {
    const folder = await written({ 'policy.yaml': GOOD, 'examples.yaml': EXAMPLES });
    const file = join(folder, 'examples.yaml');
    const result = await printed((streams) => runPolicyTest({ file }, ENV, streams));
    expect(result).toEqual({ code: 0, text: '5 of 5 examples pass\n' });
  });

  it('reports where the policy decides differently', async () => {
    const wrong = EXAMPLES.replace(
      'call: charge, args: { amount: 1000 }, expect: deny',
      'call: charge, args: { amount: 1000 }, expect: allow',
    );
    const folder = await written({ 'policy.yaml': GOOD, 'examples.yaml': wrong });
    const file = join(folder, 'examples.yaml');
    const { code, text } = await printed((streams) => runPolicyTest({ file }, ENV, streams));
    expect(code).toBe(1);
    expect(text).toContain(
      `${file}:7: charge {"amount":1000}: expected allow, got deny by /tools/charge/rules/0`,
    );
  });

  it('rejects a policy as an example file, field by field', async () => {
    const folder = await written({ 'policy.yaml': GOOD });
    const file = join(folder, 'policy.yaml');
    const refused = printed((streams) => runPolicyTest({ file }, ENV, streams));
    await expect(refused).rejects.toThrow('policy: expected the path of a document');
    await expect(refused).rejects.toThrow(/:\d+:1: tools: there is no such field/);
  });

  it('rejects an invalid example file with the position', async () => {
    const folder = await written({
      'examples.yaml': 'policy: p.yaml\nexamples: [{ call: a, expect: maybe }]',
    });
    const file = join(folder, 'examples.yaml');
    await expect(printed((streams) => runPolicyTest({ file }, ENV, streams))).rejects.toThrow(
      `${file}:2:23: examples.0.expect`,
    );
  });
});

describe('policy init', () => {
  it('generates a valid policy from the tools of a runtime, by risk', async () => {
    const { local } = await startGuarded('version: "1"');
    const folder = await written({});
    const out = join(folder, 'policy.yaml');
    const env = {
      ...process.env,
      ...ENV,
      ...local.env,
      AWS_ENDPOINT_URL: local.url,
      AWS_CONFIG_FILE: '/nonexistent/config',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
      AGENTCORE_AGENT_ARN: local.runtime('server').arn,
    };
    const { code, text } = await printed((streams) => runPolicyInit({ out }, env, streams));
    expect(code).toBe(0);
    expect(text).toContain('12 tools');
    const written_ = await readFile(out, 'utf8');
    const { policy, problems } = parsePolicy(written_, out);
    expect(problems).toEqual([]);
    expect(policy?.body.default?.effect).toBe('deny');
    expect(written_).toMatch(/These read\.\n {2}read: { rules: \[\] }\n {2}list_orders/);
    expect(written_).toMatch(/cannot be undone\.\n {2}delete_db: .*require_approval/);
    await expect(printed((streams) => runPolicyInit({ out }, env, streams))).rejects.toThrow(
      'already exists',
    );
  });

  it('does not trust a read-only annotation that contradicts the tool’s name', async () => {
    const tools = [
      { name: 'delete_all', annotations: { readOnlyHint: true } },
      { name: 'get_x' },
      { name: 'getWeather', annotations: { readOnlyHint: true } },
      { name: 'run_query', annotations: { readOnlyHint: true } },
      { name: 'update' },
      { name: 'odd name: [', annotations: { destructiveHint: true } },
      { name: 'glob*' },
    ];
    const folder = await written({ 'tools.json': JSON.stringify({ result: { tools } }) });
    const options = { tools: join(folder, 'tools.json') };
    const { text } = await printed((streams) => runPolicyInit(options, ENV, streams));
    expect(parsePolicy(text, 'x').problems).toEqual([]);
    const [, reads = '', writes = '', destroys = '', runs = ''] = text.split('  # ');
    expect(reads).toContain('get_x:');
    expect(reads).toContain('getWeather:');
    expect(writes).toContain('update:');
    expect(destroys).toContain('delete_all:');
    expect(destroys).toContain('"odd name: [":');
    expect(runs).toContain('run_query:');
    expect(text).toMatch(/^# Left out, .*"glob\*"$/m);
  });

  it('generates a valid policy for any tool names, and for no other tools', async () => {
    const names = ['a*', 'a_', '*', '__proto__', '', 'x'.repeat(3000), '<<', 'null', '1', '"'];
    const odd = ['\u0007\n', 'b: {', '- c', '# d', 'e\u2028f', '{{', '&g', 'ｈ'];
    const tools = [...names, ...odd, ...names].map((name) => ({ name }));
    const folder = await written({ 'tools.json': JSON.stringify(tools) });
    const options = { tools: join(folder, 'tools.json') };
    const { text } = await printed((streams) => runPolicyInit(options, ENV, streams));
    const { policy, problems } = parsePolicy(text, 'x');
    expect(problems).toEqual([]);
    const listed = policy?.body.entries.map(({ name }) => name.text);
    expect(listed?.toSorted()).toEqual(['a_', '<<', 'null', '1', '"', ...odd, '*'].toSorted());
  });
});

describe('agentcore-mcp policy', () => {
  it('check exits with code 1 for mistakes, each with file, line and column, and with 2 without a document', async () => {
    const folder = await written({
      'good.yaml': GOOD,
      'bad.yaml': 'version: "1"\ntools:\n  a: { rules: [{ action: evaluat }] }\n',
    });
    const [good, bad] = [join(folder, 'good.yaml'), join(folder, 'bad.yaml')];
    expect(await runCli(['policy', 'check', good], ENV)).toMatchObject({ code: 0, stderr: '' });
    const wrong = await runCli(['policy', 'check', good, bad], ENV);
    expect(wrong.code).toBe(1);
    expect(wrong.lines).toEqual([
      expect.stringContaining(`${good}: ok`),
      expect.stringContaining(`${bad}:3:18: tools.a.rules.0.action: `),
    ]);
    const none = await runCli(['policy', 'check'], ENV);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('AGENTCORE_POLICY');
  });

  it('explain prints the rule and its line, as text and as JSON', async () => {
    const folder = await written({ 'policy.yaml': GOOD });
    const file = join(folder, 'policy.yaml');
    const explain = (...args: string[]) =>
      runCli(['policy', 'explain', ...args, '--file', file], ENV);
    expect(await explain('delete_repository')).toMatchObject({
      code: 0,
      stdout: `deny: no\n  by ${file}:7 /tools/delete_repository/rules/0\n`,
    });
    const charged = await explain('charge', '--args', '{"amount":1001}', '--json');
    expect(JSON.parse(charged.stdout)).toMatchObject({
      effect: 'deny',
      rule: { file, line: expect.any(Number), pointer: '/tools/charge/rules/0' },
    });
    expect((await explain('charge', '--args', '{')).code).toBe(2);
    expect((await explain()).code).toBe(2);
  });

  it('test exits with code 1 if an example fails, and prints its line', async () => {
    const examples = 'policy: policy.yaml\nexamples:\n  - { call: create_issue, expect: deny }\n';
    const folder = await written({ 'policy.yaml': GOOD, 'examples.yaml': examples });
    const file = join(folder, 'examples.yaml');
    const failed = await runCli(['policy', 'test', file], ENV);
    expect(failed.code).toBe(1);
    expect(failed.lines).toEqual([
      `${file}:3: create_issue {}: expected deny, got allow`,
      '0 of 1 examples pass',
    ]);
    await writeFile(file, examples.replace('deny', 'allow'));
    expect(await runCli(['policy', 'test', file], ENV)).toMatchObject({
      code: 0,
      stdout: '1 of 1 examples pass\n',
    });
  });

  it('init writes a valid policy for the tools of a live runtime', async () => {
    const { local } = await startGuarded('version: "1"');
    const { arn } = local.runtime('server');
    const env = { ...ENV, ...local.env, AWS_ENDPOINT_URL: local.url, AGENTCORE_AGENT_ARN: arn };
    const out = join(await written({}), 'policy.yaml');
    const init = () => runCli(['policy', 'init', '--runtime', arn, '--out', out], env);
    expect(await init()).toMatchObject({ code: 0, stdout: expect.stringContaining('12 tools') });
    expect((await runCli(['policy', 'check', out], ENV)).code).toBe(0);
    const listed = ['read', 'delete_db'].map((name) => ({ name, inputSchema: { type: 'object' } }));
    const tools = join(await written({ 'tools.json': JSON.stringify(listed) }), 'tools.json');
    const decided = async (tool: string) => {
      const args = ['policy', 'explain', tool, '--file', out, '--tools', tools];
      return (await runCli(args, ENV)).stdout.split(/[:\n]/)[0];
    };
    expect(await decided('read')).toBe('allow');
    expect(await decided('delete_db')).toBe('ask');
    expect(await decided('another')).toBe('deny');
    expect((await init()).code).toBe(2);
    const proxy = proxyTo(local, { AGENTCORE_POLICY: out });
    await proxy.initialize();
    expect((await proxy.call('read')).result.isError).toBeUndefined();
    expect((await proxy.call('delete_db')).result.isError).toBe(true);
  });
});

describe('policy explain and policy test', () => {
  const FILES = {
    'p.yaml': `version: "1"
hide: [wipe]
tools:
  act: { rules: [{ name: shape, validate: schema }] }
  "*": { rules: [{ name: needs, validate: { required_args: true } }] }
`,
    'tools.json': JSON.stringify({
      tools: [{ name: 'act', inputSchema: { type: 'object', required: ['id'] } }],
    }),
  };

  /** The decision of both commands, which must agree. */
  async function decided(
    call: { name: string; args: object },
    options: { tools?: boolean } = {},
    env: Record<string, string> = ENV,
  ): Promise<string> {
    const example = `{ call: ${JSON.stringify(call.name)}, args: ${JSON.stringify(call.args)}`;
    const effects = ['allow', 'ask', 'deny'];
    const folder = await written({
      ...FILES,
      'e.yaml': `policy: p.yaml\nexamples:\n${effects.map((effect) => `  - ${example}, expect: ${effect} }`).join('\n')}\n`,
    });
    const tools = options.tools ? join(folder, 'tools.json') : undefined;
    const explained = await printed((streams) =>
      runPolicyExplain(
        {
          tool: call.name,
          args: JSON.stringify(call.args),
          files: [join(folder, 'p.yaml')],
          json: true,
          tools,
        },
        env,
        streams,
      ),
    );
    const tried = await printed((streams) =>
      runPolicyTest({ file: join(folder, 'e.yaml'), json: true, tools }, env, streams),
    );
    const { effect, rule } = JSON.parse(explained.text);
    const results: { mistake?: string }[] = JSON.parse(tried.text).results;
    const holding = effects.filter((_, index) => results[index]?.mistake === undefined);
    expect(holding).toEqual(effects.filter((one) => one === effect));
    if (rule) expect(results.some(({ mistake }) => mistake?.includes(rule.sentence))).toBe(true);
    return `${effect}${rule ? ` ${rule.pointer} ${rule.sentence}` : ''}`;
  }

  it('leave a decision open that depends on an unknown schema, and name --tools', async () => {
    const unknown = await decided({ name: 'act', args: { id: 1 } });
    expect(unknown).toMatch(/^unknown \/tools\/act\/rules\/0 .*--tools$/);
    expect(await decided({ name: 'other', args: {} })).toMatch(/^unknown .*--tools$/);
  });

  it('decide it with a tool list', async () => {
    expect(await decided({ name: 'act', args: { id: 1 } }, { tools: true })).toBe('allow');
    expect(await decided({ name: 'act', args: {} }, { tools: true })).toMatch(/^deny .*"id"|id/);
    expect(await decided({ name: 'other', args: {} }, { tools: true })).toMatch(
      /^deny .*announces no schema/,
    );
  });

  it('decide a denial that does not depend on the schema', async () => {
    expect(await decided({ name: 'wipe', args: {} })).toMatch(/^deny \/hide\/0/);
    expect(await decided({ name: 'w\u00efpe', args: {} })).toMatch(/^deny \/hide\/0/);
  });

  it('leave open whether a name is listed that can be confused with another', async () => {
    expect(await decided({ name: 'gr\u00fc\u00dfe', args: {} })).toMatch(/^unknown .*--tools$/);
  });

  it('reject a tool list, a document and examples that are not regular files', async () => {
    const folder = await written(FILES);
    for (const verb of [
      () =>
        runPolicyExplain({ tool: 'act', files: [folder] }, ENV, {
          stdout: new PassThrough(),
          stderr: new PassThrough(),
        }),
      () =>
        runPolicyExplain(
          { tool: 'act', files: [join(folder, 'p.yaml')], tools: '/dev/zero' },
          ENV,
          { stdout: new PassThrough(), stderr: new PassThrough() },
        ),
      () =>
        runPolicyTest({ file: '/dev/zero' }, ENV, {
          stdout: new PassThrough(),
          stderr: new PassThrough(),
        }),
    ]) {
      await expect(verb()).rejects.toThrow(/not a regular file/);
    }
  });
});
