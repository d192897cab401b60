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

/** The forbidden requests that reached the server, once the proxy has no open requests. */
async function offences({ proxy, local }: Guarded): Promise<string[]> {
  await proxy.close();
  expect(proxy.noise).toEqual([]);
  return local.deliveries.flatMap(({ body }) => offencesIn(body));
}

describe('an attempt to bypass a policy', () => {
  it(`is denied, all ${ATTACKS.length} of them, and none reaches the server`, async () => {
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
    // Allowed calls must still work. Otherwise the other checks prove nothing.
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

  it.each([1, 7, 42, 20260728])('is denied in any mutation (seed %i)', async (seed) => {
    const guarded = await startGuarded();
    const { proxy } = guarded;
    await proxy.initialize();
    for (const line of mutated(ATTACKS, seed, 400)) proxy.write(`${line}\n`);
    // The last request is answered after all before it were read.
    await proxy.call('read');
    expect(await offences(guarded)).toEqual([]);
  });
});

describe('limits', () => {
  it('hold for concurrent calls, several proxies, and after a restart', async () => {
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
  it('contain exactly the permitted items, and keep their other fields', async () => {
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

  it('is identified by its signing credentials, and has its own tools and counters', async () => {
    const { proxy } = await startGuarded(CALLERS);
    await proxy.initialize();
    const { tools } = (await proxy.request('tools/list')).result;
    expect(tools.map((tool: Line) => tool.name)).toEqual(['read', 'limited']);
    expect(isRefusal(await proxy.call('read'))).toBe(false);
    expect(isRefusal(await proxy.call('pay'))).toBe(true);
    expect(isRefusal(await proxy.call('limited'))).toBe(false);
    expect(isRefusal(await proxy.call('limited'))).toBe(true);
  });

  it('that cannot be identified is denied everything', async () => {
    const { proxy, local } = await startGuarded(CALLERS, {
      AWS_ENDPOINT_URL_STS: 'http://127.0.0.1:9',
    });
    expect((await proxy.initialize()).error.message).toContain('who calls could not be found out');
    await proxy.close();
    expect(local.deliveries).toEqual([]);
  });
});

describe('a server request', () => {
  it('is denied by the rules for its method, and does not reach the client', async () => {
    const { proxy } = await startGuarded();
    await proxy.initialize({ sampling: {} });
    const { result } = await proxy.call('ask');
    expect(result.content[0].text).toContain('No sampling.');
    expect(proxy.lines.filter(({ method }) => method === 'sampling/createMessage')).toEqual([]);
  });

  it('is denied also within a result of the stateless era', async () => {
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
