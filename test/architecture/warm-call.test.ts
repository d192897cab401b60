import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { forgetfulRuntime, runtimeEnv, startState } from '../fixtures/proxied-runtime.ts';
import { ProxyProcess } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { start } from '../local/harness.ts';
import limits from './limits.json' with { type: 'json' };

const recorder = fileURLToPath(new URL('executed-files.ts', import.meta.url));
const program = fileURLToPath(new URL('../../src/programs/proxy.ts', import.meta.url));

/** The files of `src` that run for one `tools/call`, once everything is loaded and cached. */
async function recordWarmCall(policy?: string): Promise<readonly string[]> {
  const local = await start({ server: forgetfulRuntime() });
  const { env, journal } = await startState();
  const file = join(dirname(journal), 'policy.yaml');
  if (policy !== undefined) await writeFile(file, policy);
  const proxy = new ProxyProcess(
    runtimeEnv(local, { ...env, ...(policy !== undefined && { AGENTCORE_POLICY: file }) }),
    ['--disable-warning=ExperimentalWarning', '--import', recorder, program],
  );
  endWithTest(proxy, () => void proxy.child.kill('SIGKILL'));
  await proxy.initialize();
  const call = () => proxy.request('tools/call', { name: 'session', arguments: {} });
  await call();
  await call();
  let files: readonly string[] | undefined;
  for (let sample = 0; sample < 5; sample++) {
    // The records of the call before are written.
    await expect.poll(() => readExecuted(proxy), { timeout: MAX_WAIT_MS }).toEqual([]);
    await call();
    const executed = await readExecuted(proxy);
    // A timer can add files to a sample, and never remove one.
    files = files?.filter((file) => executed.includes(file)) ?? executed;
  }
  return files ?? [];
}

async function readExecuted(proxy: ProxyProcess): Promise<readonly string[]> {
  const before = countReports(proxy);
  proxy.child.kill('SIGUSR2');
  await expect.poll(() => countReports(proxy), { timeout: MAX_WAIT_MS }).toBe(before + 1);
  return JSON.parse(/executed: (\[[^\n]*\])\n$/.exec(proxy.stderr)?.[1] ?? '[]') as string[];
}

function countReports(proxy: ProxyProcess): number {
  return proxy.stderr.match(/executed: [^\n]*\n/g)?.length ?? 0;
}

const ALLOW = 'version: "1"\ndefault: allow\n';
const DENY = 'version: "1"\ndefault: allow\ntools:\n  session:\n    rules:\n      - action: deny\n';

it.skipIf(process.platform === 'win32').each([
  ['plain', undefined, limits.warmCall.plain],
  ['allowed', ALLOW, limits.warmCall.allowed],
  ['denied', DENY, limits.warmCall.denied],
] as const)('runs few files for a warm call: %s', async (_name, policy, most) => {
  const files = await recordWarmCall(policy);
  expect(files.length, files.join('\n')).toBeLessThanOrEqual(most);
  expect(files.length).toBeGreaterThan(10);
});
