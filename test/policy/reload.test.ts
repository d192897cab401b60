import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Line } from '../fixtures/proxy-process.ts';
import { startGuarded } from './adversarial/guarded.ts';

const said = ({ result, error }: Line): string => error?.message ?? result.content[0].text;

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe('a policy that changes', () => {
  it('holds from the next call on; while it is invalid or gone, what it said before does', async () => {
    const { proxy, file } = await startGuarded('version: "1"\nhide: [wipe]');
    await proxy.initialize();
    expect(said(await proxy.call('wipe'))).toContain('hidden');
    expect(said(await proxy.call('pay'))).toBe('did tools/call');
    await replace(file, 'version: "1"\nhide: [pay]');
    expect(said(await proxy.call('pay'))).toContain('hidden');
    expect(said(await proxy.call('wipe'))).toBe('did tools/call');
    await replace(file, 'version: "1"\nhide: pay');
    expect(said(await proxy.call('pay'))).toContain('hidden');
    await rm(file);
    expect(said(await proxy.call('pay'))).toContain('hidden');
    expect(said(await proxy.call('wipe'))).toBe('did tools/call');
  });

  it.each([
    ['invalid', 'version: "1"\nhide: pay', /policy\.yaml:2:1: hide/],
    ['no YAML', '{', /policy\.yaml:/],
  ])('lets nothing pass where it is %s from the start, and says so', async (_, text, expected) => {
    const { proxy, local } = await startGuarded(text, { LOG_LEVEL: 'error' });
    expect(said(await proxy.initialize())).toMatch(expected);
    expect(said(await proxy.call('read'))).toMatch(expected);
    await proxy.close();
    expect(proxy.stderr).toMatch(expected);
    expect(local.deliveries).toEqual([]);
  });

  it('lets nothing pass where it is missing', async () => {
    const missing = join(import.meta.dirname, 'no-such-policy.yaml');
    const { proxy } = await startGuarded('version: "1"', { AGENTCORE_POLICY: missing });
    expect(said(await proxy.initialize())).toContain('Could not read');
  });

  it('is refused as a setting where its path depends on the folder', async () => {
    const { proxy } = await startGuarded('version: "1"', { AGENTCORE_POLICY: 'policy.yaml' });
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toContain('expected absolute paths');
  });

  it('lets nothing pass where what it counts with is damaged', async () => {
    const policy =
      'version: "1"\ntools: { pay: { rules: [{ rate_limit: 5/day, scope: global }] } }';
    const { proxy, state } = await startGuarded(policy);
    await proxy.initialize();
    expect(said(await proxy.call('pay'))).toBe('did tools/call');
    await writeFile(join(state, 'policy', 'counters', 'global.0.log'), '{');
    expect(said(await proxy.call('pay'))).toContain('cannot be used');
    expect(said(await proxy.call('read'))).toBe('did tools/call');
  });
});
