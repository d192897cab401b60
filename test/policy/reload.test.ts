import { execFile } from 'node:child_process';
import { mkdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { proxyTo } from '../fixtures/proxied-runtime.ts';
import type { Line } from '../fixtures/proxy-process.ts';
import { startGuarded } from './adversarial/guarded.ts';

const said = ({ result, error }: Line): string => error?.message ?? result.content[0].text;

const run = promisify(execFile);

/** Creates an object at a path that is not a document. */
const UNSUITABLE = {
  'a FIFO': (path: string) => run('mkfifo', [path]),
  'a link to a device': (path: string) => symlink('/dev/zero', path),
  'a folder': (path: string) => mkdir(path),
};

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

describe('a policy that changes', () => {
  it('applies from the next call on, and its last valid version stays in force if it is invalid or missing', async () => {
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
  ])('denies all calls if it is %s from the start, and reports it', async (_, text, expected) => {
    const { proxy, local } = await startGuarded(text, { LOG_LEVEL: 'error' });
    expect(said(await proxy.initialize())).toMatch(expected);
    expect(said(await proxy.call('read'))).toMatch(expected);
    await proxy.close();
    expect(proxy.stderr).toMatch(expected);
    expect(local.deliveries).toEqual([]);
  });

  it('denies all calls if it is missing', async () => {
    const missing = join(import.meta.dirname, 'no-such-policy.yaml');
    const { proxy } = await startGuarded('version: "1"', { AGENTCORE_POLICY: missing });
    expect(said(await proxy.initialize())).toContain('Could not read');
  });

  it.each(Object.entries(UNSUITABLE))(
    'ends the proxy at the start if it is %s',
    async (_, make) => {
      const { proxy, state, local, env } = await startGuarded('version: "1"');
      await proxy.initialize();
      await proxy.close();
      const path = join(state, 'other.yaml');
      await make(path);
      const next = proxyTo(local, { ...env, AGENTCORE_POLICY: path });
      expect((await next.exited).code).toBe(2);
      expect(next.stderr).toMatch(/other\.yaml: it is a (FIFO|device|folder), not a regular file/);
    },
  );

  it('stays in force while another object is at its path, and detects a copy of the same size and time', async () => {
    const { proxy, file } = await startGuarded('version: "1"\nhide: [wipe]', {
      LOG_LEVEL: 'warning',
    });
    await proxy.initialize();
    for (const make of Object.values(UNSUITABLE)) {
      await rm(file, { recursive: true });
      await make(file);
      expect(said(await proxy.call('wipe'))).toContain('hidden');
      expect(said(await proxy.call('read'))).toBe('did tools/call');
    }
    await rm(file, { recursive: true });
    await writeFile(file, 'version: "1"\nhide: [wipe]');
    expect(said(await proxy.call('wipe'))).toContain('hidden');
    const { atime, mtime } = await stat(file);
    await writeFile(file, 'version: "1"\nhide: [read]');
    await utimes(file, atime, mtime);
    expect(said(await proxy.call('read'))).toContain('hidden');
    await proxy.close();
    expect(proxy.stderr).toContain('said before stays in force');
  });

  it('is rejected as a setting if its path is relative', async () => {
    const { proxy } = await startGuarded('version: "1"', { AGENTCORE_POLICY: 'policy.yaml' });
    expect((await proxy.exited).code).toBe(2);
    expect(proxy.stderr).toContain('expected absolute paths');
  });

  it('denies all calls if its counter file is damaged', async () => {
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
