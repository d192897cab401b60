import { describe, expect, it, vi } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import {
  accessKey,
  CredentialHome,
  keyRecorder,
  keys,
  load,
} from '../aws/credentials/credential-fixtures.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import type { ProxyProcess } from '../fixtures/proxy-process.ts';
import { start, statefulMcp, statelessMcp } from '../local/harness.ts';

/** Milliseconds. Longer than the steps of these tests take on a quiet machine. */
const ONE = accessKey('one');
const TWO = accessKey('two');
const SECRETS = [ONE.secretAccessKey, TWO.secretAccessKey];

type Keys = readonly { readonly accessKeyId: string; readonly secretAccessKey: string }[];

function startLocal(server = statelessMcp()): Promise<LocalRuntime> {
  return start({ server }, { accessKeys: [ONE.config, TWO.config] });
}

/** A proxy with a profile, and its requests at the local AgentCore. */
async function underLoad(local: LocalRuntime, home: CredentialHome, profile = 'work') {
  const recorder = await keyRecorder(local);
  const proxy = home.proxy(local, { AWS_PROFILE: profile, AWS_ENDPOINT_URL: recorder.url });
  expect((await proxy.initialize()).result.serverInfo.name).toBe('fixture');
  return { recorder, proxy, running: load(proxy) };
}

/** Waits until this many more calls have been answered. */
function answered(running: ReturnType<typeof load>, more: number): Promise<void> {
  const goal = running.calls() + more;
  return vi.waitFor(() => expect(running.calls()).toBeGreaterThanOrEqual(goal), MAX_WAIT_MS);
}

/** Checks that each request has exactly one answer. */
function expectOneAnswerEach(proxy: ProxyProcess, calls: number): void {
  const ids = proxy.lines.filter(({ id, method }) => id !== undefined && !method);
  expect(ids).toHaveLength(calls + 1);
  expect(new Set(ids.map(({ id }) => id)).size).toBe(ids.length);
}

describe('a profile that is switched under load', () => {
  it('loses no call, in both directions', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const { recorder, proxy, running } = await underLoad(local, home);
    const turns: Keys = [TWO, ONE, TWO];
    for (const key of turns) {
      await answered(running, 50);
      await home.write('credentials', keys('work', key));
      await vi.waitFor(() => expect(recorder.invokedBy.at(-1)).toBe(key.accessKeyId), MAX_WAIT_MS);
    }
    await answered(running, 50);
    expect(await running.stop()).toEqual([]);
    expectOneAnswerEach(proxy, running.calls());
    // After the switch, only calls that were signed before it use the old key.
    const last = recorder.invokedBy.slice(-30);
    expect(new Set(last)).toEqual(new Set([TWO.accessKeyId]));
    expect(proxy.lines.some(({ params }) => params?.level === 'warning')).toBe(false);
    await home.expectNoSecret(SECRETS);
  });

  it('loses no call if the old key is deleted at the same moment', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const { recorder, proxy, running } = await underLoad(local, home);
    await answered(running, 50);
    await home.write('credentials', keys('work', TWO));
    recorder.revoke(ONE.accessKeyId);
    await vi.waitFor(() => expect(recorder.invokedBy.at(-1)).toBe(TWO.accessKeyId), MAX_WAIT_MS);
    await answered(running, 50);
    expect(await running.stop()).toEqual([]);
    expectOneAnswerEach(proxy, running.calls());
    await home.expectNoSecret(SECRETS);
  });

  it('keeps the session of a stateful server', async () => {
    const local = await startLocal(statefulMcp());
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const { recorder, proxy, running } = await underLoad(local, home);
    await answered(running, 20);
    await home.write('credentials', keys('work', TWO));
    await vi.waitFor(() => expect(recorder.invokedBy.at(-1)).toBe(TWO.accessKeyId), MAX_WAIT_MS);
    expect(await running.stop()).toEqual([]);
    expect(local.sessions()).toHaveLength(1);
    expectOneAnswerEach(proxy, running.calls());
  });

  it('of one proxy does not affect the other', async () => {
    const local = await startLocal();
    const files = (one: Keys[number], two: Keys[number]) => keys('one', one) + keys('two', two);
    const home = await CredentialHome.make({ credentials: files(ONE, TWO) });
    const first = await underLoad(local, home, 'one');
    const second = await underLoad(local, home, 'two');
    await answered(first.running, 30);
    await home.write('credentials', files(TWO, TWO));
    await vi.waitFor(
      () => expect(first.recorder.invokedBy.at(-1)).toBe(TWO.accessKeyId),
      MAX_WAIT_MS,
    );
    await answered(second.running, 30);
    expect(await first.running.stop()).toEqual([]);
    expect(await second.running.stop()).toEqual([]);
    expect(new Set(first.recorder.invokedBy)).toEqual(new Set([ONE.accessKeyId, TWO.accessKeyId]));
    expect(new Set(second.recorder.invokedBy)).toEqual(new Set([TWO.accessKeyId]));
    await home.expectNoSecret(SECRETS);
  });
});

describe('a wrong clock', () => {
  const isSkewed = ({ params }: { params?: { data?: unknown } }) =>
    /the clock of this machine is .* (fast|slow), set it/.test(String(params?.data));

  it.each([
    ['slow', 3_600],
    ['fast', -3_600],
  ])('by an hour, %s, costs no call', async (word, seconds) => {
    const local = await start(
      { server: statelessMcp() },
      { accessKeys: [ONE.config], clockSkew: seconds },
    );
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const { recorder, proxy, running } = await underLoad(local, home);
    await answered(running, 20);
    expect(await running.stop()).toEqual([]);
    expectOneAnswerEach(proxy, running.calls());
    // The first call was rejected, and sent again with the right time.
    expect(recorder.refused()).toBe(1);
    await proxy.close();
    const journal = await home.journal();
    expect(journal).toContain(`the clock of this machine is 60 minutes ${word}, set it`);
    await home.expectNoSecret(SECRETS);
  });

  it('that changes between calls is corrected for all open calls, and reported once', async () => {
    const local = await startLocal();
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const { proxy, running } = await underLoad(local, home);
    await answered(running, 20);
    local.setClockSkew(-7_200);
    await proxy.next('a warning', isSkewed);
    await answered(running, 20);
    expect(await running.stop()).toEqual([]);
    expectOneAnswerEach(proxy, running.calls());
    expect(proxy.lines.filter(isSkewed)).toHaveLength(1);
  });

  it('neither shortens nor extends the lifetime of role credentials', async () => {
    const arn = 'arn:aws:iam::123456789012:role/caller';
    const local = await start(
      { server: statelessMcp() },
      { accessKeys: [ONE.config], roles: [{ arn }], clockSkew: -7_200 },
    );
    const home = await CredentialHome.make({
      config: `[profile work]\nrole_arn = ${arn}\nsource_profile = base\n`,
      credentials: keys('base', ONE),
    });
    const { recorder, running } = await underLoad(local, home);
    await answered(running, 30);
    expect(await running.stop()).toEqual([]);
    // Once with the wrong time, once with the right one.
    expect(recorder.assumed).toHaveLength(2);
    await home.expectNoSecret([...SECRETS, ...recorder.tokens]);
  });
});

describe('a profile that changes before the proxy stops its session', () => {
  it.each([
    ['a command that does not end', {}],
    ['an unconfirmed command', { AGENTCORE_CONFIRMED_PROCESSES: 'none' }],
  ])('does not keep the session running when it now has %s', async (_, env) => {
    const local = await startLocal(statefulMcp());
    const home = await CredentialHome.make({ credentials: keys('work', ONE) });
    const proxy = home.proxy(local, { AWS_PROFILE: 'work', ...env });
    await proxy.initialize();
    proxy.begin('tools/call', { name: 'hang' });
    await local.until(() => local.requests.some(({ tool }) => tool === 'hang'), 'the call');
    const command = `"${process.execPath}" -e "setInterval(() => {}, 1000)"`;
    await home.write('config', `[profile work]\ncredential_process = ${command}\n`);
    await home.write('credentials', '');
    await proxy.close();
    expect(local.requests.filter(({ operation }) => operation === 'stop')).toMatchObject([
      { status: 200 },
    ]);
    expect(await home.journal()).not.toContain('session.stop-failed');
  });
});
