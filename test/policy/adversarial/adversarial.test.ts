import { describe, expect, it } from 'vitest';
import type { Line } from '../../fixtures/proxy-process.ts';
import { ATTACKS } from './corpus.ts';
import { mutated } from './fuzz.ts';
import { type Guarded, startGuarded } from './guarded.ts';
import { offencesIn } from './offences.ts';

const MODERN = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': { sampling: {} },
  },
};

function isRefusal({ error, result }: Line): boolean {
  return error !== undefined || result?.isError === true;
}

/** What reached the server that must not have, once the proxy has nothing open any more. */
async function offences({ proxy, local }: Guarded): Promise<string[]> {
  await proxy.close();
  expect(proxy.noise).toEqual([]);
  return local.deliveries.flatMap(({ body }) => offencesIn(body));
}

describe('what tries to get past a policy', () => {
  it(`is refused, all ${ATTACKS.length} of it, and nothing of it reaches the server`, async () => {
    expect(ATTACKS.length).toBeGreaterThanOrEqual(150);
    const guarded = await startGuarded();
    const { proxy } = guarded;
    await proxy.initialize({ elicitation: {} });
    for (const { line } of ATTACKS) proxy.write(`${line}\n`);
    const passed: string[] = [];
    for (const { what, line, id } of ATTACKS) {
      if (id === undefined) continue;
      if (!isRefusal(await proxy.answerTo(id))) passed.push(`${what}: ${line}`);
    }
    expect(passed).toEqual([]);
    // What is allowed still goes its way, or the rest would prove nothing.
    const allowed = [
      proxy.call('read'),
      proxy.call('pay', { amount: 500, to: { country: 'us' } }),
      proxy.call('refund', { amount: 500, note: 'late', items: [{ price: 100 }] }),
      proxy.call('export', { id: 1, tags: ['a'] }),
      proxy.request('resources/read', { uri: 'file:///srv/a' }),
      proxy.request('prompts/get', { name: 'hello' }),
    ];
    expect((await Promise.all(allowed)).filter(isRefusal)).toEqual([]);
    expect(await offences(guarded)).toEqual([]);
  });

  it.each([1, 7, 42, 20260728])('stays out in any mutation (seed %i)', async (seed) => {
    const guarded = await startGuarded();
    const { proxy } = guarded;
    await proxy.initialize();
    for (const line of mutated(ATTACKS, seed, 400)) proxy.write(`${line}\n`);
    // The last one is answered when all before it were read.
    await proxy.call('read');
    expect(await offences(guarded)).toEqual([]);
  });
});

describe('limits', () => {
  it('hold against calls at once, from several proxies, and after a restart', async () => {
    const guarded = await startGuarded();
    const { local, env, proxy } = guarded;
    const { proxyTo } = await import('../../fixtures/proxied-runtime.ts');
    const others = [proxyTo(local, env), proxyTo(local, env)];
    const proxies = [proxy, ...others];
    await Promise.all(proxies.map((one) => one.initialize()));
    const answers = await Promise.all(
      proxies.flatMap((one) => Array.from({ length: 20 }, () => one.call('limited'))),
    );
    expect(answers.filter((answer) => !isRefusal(answer))).toHaveLength(3);
    const sums = await Promise.all(
      proxies.flatMap((one) => Array.from({ length: 10 }, () => one.call('budgeted', { n: 30 }))),
    );
    expect(sums.filter((answer) => !isRefusal(answer))).toHaveLength(3);
    await Promise.all(others.map((one) => one.close()));
    const again = proxyTo(local, env);
    await again.initialize();
    expect(isRefusal(await again.call('limited'))).toBe(true);
    expect(await again.call('limited')).toMatchObject({
      result: { content: [{ text: expect.stringContaining('Rate limit of 3 per month') }] },
    });
    await again.close();
    expect(await offences(guarded)).toEqual([]);
    const delivered = local.deliveries.filter(({ body }) => body.includes('"limited"'));
    expect(delivered).toHaveLength(3);
  });
});

describe('lists', () => {
  it('name what may be used and nothing else, and keep their other fields', async () => {
    const { proxy } = await startGuarded();
    await proxy.initialize();
    const tools = (await proxy.request('tools/list')).result;
    const names = tools.tools.map((tool: Line) => tool.name);
    expect(names).toEqual(
      'read list_orders pay refund export limited budgeted ask ask_inline'.split(' '),
    );
    expect(tools.extra).toEqual({ kept: true });
    const { prompts } = (await proxy.request('prompts/list')).result;
    expect(prompts.map((prompt: Line) => prompt.name)).toEqual(['hello']);
    const { resources } = (await proxy.request('resources/list')).result;
    expect(resources.map((resource: Line) => resource.uri)).toEqual(['file:///srv/a']);
    const { resourceTemplates } = (await proxy.request('resources/templates/list')).result;
    expect(resourceTemplates).toEqual([]);
  });
});

describe('a caller', () => {
  const CALLERS = `
version: "1"
callers:
  - { match: ["arn:aws:*"], catalog: [read, limited], tools: { limited: { rules: [{ rate_limit: 1/month, scope: grant }] } } }
  - { match: ["arn:aws:iam::999999999999:*"], catalog: ["*"] }
`;

  it('is known by the credentials that sign, and has its own tools and counters', async () => {
    const { proxy } = await startGuarded(CALLERS);
    await proxy.initialize();
    const { tools } = (await proxy.request('tools/list')).result;
    expect(tools.map((tool: Line) => tool.name)).toEqual(['read', 'limited']);
    expect(isRefusal(await proxy.call('read'))).toBe(false);
    expect(isRefusal(await proxy.call('pay'))).toBe(true);
    expect(isRefusal(await proxy.call('limited'))).toBe(false);
    expect(isRefusal(await proxy.call('limited'))).toBe(true);
  });

  it('that cannot be found out may do nothing', async () => {
    const { proxy, local } = await startGuarded(CALLERS, {
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
    });
    expect((await proxy.initialize()).error.message).toContain('who calls could not be found out');
    await proxy.close();
    expect(local.deliveries).toEqual([]);
  });
});

describe('what the server asks', () => {
  it('is refused by the rules for its method, and the client does not see it', async () => {
    const { proxy } = await startGuarded();
    await proxy.initialize({ sampling: {} });
    const { result } = await proxy.call('ask');
    expect(result.content[0].text).toContain('No sampling.');
    expect(proxy.lines.filter(({ method }) => method === 'sampling/createMessage')).toEqual([]);
  });

  it('is refused within a result of the stateless era as well', async () => {
    const { proxy } = await startGuarded();
    const answer = await proxy.request('tools/call', {
      name: 'ask_inline',
      arguments: {},
      ...MODERN,
    });
    expect(answer.result).toMatchObject({ isError: true });
    expect(JSON.stringify(answer)).toContain('No sampling.');
  });
});
