import { describe, expect, it } from 'vitest';
import { delivered, proxyTo } from '../../fixtures/proxied-runtime.ts';
import { startGuarded } from '../adversarial/guarded.ts';

describe('a budget of sessions', () => {
  it('is shared by all proxies of the user, allows existing sessions, and survives the proxies', async () => {
    const policy = 'version: "1"\nbudgets: [{ sessions: 2, window: month }]';
    const { proxy, local, env } = await startGuarded(policy);
    const second = proxyTo(local, env);
    expect((await proxy.initialize()).error).toBeUndefined();
    expect((await second.initialize()).error).toBeUndefined();
    const third = proxyTo(local, env);
    expect((await third.initialize()).error.message).toContain(
      'The budget of 2 sessions for this month is used up',
    );
    for (const one of [proxy, second]) {
      expect((await one.call('read')).result.isError).toBeUndefined();
    }
    await Promise.all([proxy, second, third].map((one) => one.close()));
    const after = proxyTo(local, env);
    expect((await after.initialize()).error.message).toContain('budget of 2 sessions');
    await after.close();
    expect(delivered(local, 'initialize')).toBe(2);
  });
});

describe('a counter of the policy', () => {
  const POLICY = `
version: "1"
tools:
  mirror:
    rules:
      - conditions: [{ path: state.mirror.rows, op: lte, value: 100 }]
        state: { counter: rows, window: month, increment_from: args.limit }
      - { rate_limit: 5/month, scope: grant }
`;
  const isRefused = (answer: { result?: { isError?: boolean } }) => answer.result?.isError === true;

  it('is shared by concurrent proxies, and continues after a restart', async () => {
    const { proxy, local, env } = await startGuarded(POLICY);
    const second = proxyTo(local, env);
    const both = [proxy, second];
    await Promise.all(both.map((one) => one.initialize()));
    // Two calls of sixty exceed one hundred, in either order.
    const large = await Promise.all(both.map((one) => one.call('mirror', { limit: 60 })));
    expect(large.filter(isRefused).length).toBeGreaterThanOrEqual(1);
    const rows = async () => {
      const answers = await Promise.all(both.map((one) => one.call('mirror', { limit: 20 })));
      return answers.filter((answer) => !isRefused(answer)).length;
    };
    await rows();
    await rows();
    await Promise.all(both.map((one) => one.close()));
    const sent = local.deliveries
      .filter(({ request }) => request.tool === 'mirror')
      .map(({ body }) => JSON.parse(body).params.arguments.limit as number);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.reduce((sum, limit) => sum + limit, 0)).toBeLessThanOrEqual(100);
    const left = 100 - sent.reduce((sum, limit) => sum + limit, 0);

    const after = proxyTo(local, env);
    await after.initialize();
    expect(isRefused(await after.call('mirror', { limit: left + 1 }))).toBe(true);
    for (let more = sent.length; more < 5; more++) {
      expect(isRefused(await after.call('mirror', { limit: 0 }))).toBe(false);
    }
    expect(isRefused(await after.call('mirror', { limit: 0 }))).toBe(true);
  });
});
