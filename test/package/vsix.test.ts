import { access, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import { ProxyProcess } from '../fixtures/proxy-process.ts';
import { endWithTest } from '../fixtures/running.ts';
import { start, statefulMcp } from '../local/harness.ts';
import { type Unpacked, unexpected, unmatched, unpackedVsix } from './packages.ts';

const MEGABYTE = 1024 * 1024;

/** The exact files of the package. */
const EXPECTED = [
  /^\[Content_Types\]\.xml$/,
  /^extension\.vsixmanifest$/,
  /^extension\/package(\.nls)?\.json$/,
  /^extension\/(readme|changelog|SUPPORT)\.md$/,
  /^extension\/LICENSE\.txt$/,
  /^extension\/dist\/[a-z]+(-[a-z]+)*\.js$/,
  /^extension\/dist\/chunks\/[\w-]+-[A-Z0-9]{8}\.mjs$/,
  /^extension\/dist\/late(\/[a-z]+(-[a-z]+)*)+\.mjs$/,
  /^extension\/l10n\/bundle\.l10n\.json$/,
  /^extension\/schemas\/policy\.schema\.json$/,
  /^extension\/media\/icon\.png$/,
  /^extension\/media\/[a-z]+(-[a-z]+)*\.svg$/,
  /^extension\/media\/walkthrough\/[a-z]+(-[a-z]+)*\.(svg|md)$/,
];

describe('the packaged extension', () => {
  let vsix: Unpacked;
  const inside = (path: string) => join(vsix.folder, 'extension', path);
  const startPackaged = (env: Record<string, string>): ProxyProcess =>
    endWithTest(new ProxyProcess(env, [inside('dist/proxy.js')]), (proxy) => proxy.kill());

  beforeAll(async () => {
    vsix = await unpackedVsix();
    return vsix.remove;
  }, 240_000);

  it('is built without a warning', () => {
    expect(vsix.output).not.toMatch(/warn|error/i);
    expect(vsix.output).toContain('DONE');
  });

  it('contains exactly the expected files', () => {
    expect(unexpected(vsix.paths, EXPECTED)).toEqual([]);
    expect(unmatched(vsix.paths, EXPECTED)).toEqual([]);
    for (const program of ['extension', 'proxy', 'bridge', 'cli']) {
      expect(vsix.paths).toContain(`extension/dist/${program}.js`);
    }
  });

  it('is not larger than a megabyte', () => {
    expect(vsix.size).toBeLessThanOrEqual(MEGABYTE);
  });

  it('contains every file that its manifest names', async () => {
    const text = await readFile(inside('package.json'), 'utf8');
    const named = text.matchAll(/"(?:\.\/)?((?:media|dist|l10n)\/[^"]+)"/g);
    const paths = [...named].map(([, path]) => `extension/${path}`);
    expect(paths).toContain('extension/media/agentcore.svg');
    expect(paths.filter((path) => !vsix.paths.includes(path))).toEqual([]);
  });

  it('activates from one file, and contains all modules that it loads later', async () => {
    const code = await readFile(inside('dist/extension.js'), 'utf8');
    const atOnce = [...code.matchAll(/\b(?:from|import)\s*"([^"]+)"/g)].map(
      ([, name]) => name ?? '',
    );
    expect(atOnce).toContain('vscode');
    expect(atOnce.filter((name) => name !== 'vscode' && !isBuiltin(name))).toEqual([]);
    const late = [...code.matchAll(/\bimport\("\.\/([^"]+)"\)/g)].map(([, path]) => path);
    expect(late).toContain('late/sessions/session-store.mjs');
    expect(late.filter((path) => !vsix.paths.includes(`extension/dist/${path}`))).toEqual([]);
    expect(code.length).toBeLessThan(MEGABYTE / 4);
  });

  it('starts the proxy from few files, and loads a policy in few more', async () => {
    const code = await readFile(inside('dist/proxy.js'), 'utf8');
    expect(code).toContain('import("./late/programs/run-proxy.mjs")');
    expect(code).not.toMatch(/\bfrom\s*"/);
    const proxy = await staticFiles(inside('dist/late/programs/run-proxy.mjs'));
    expect(proxy.size).toBeLessThanOrEqual(4);
    const [governance = ''] = vsix.paths.filter((path) => /\/governance-\w+\.mjs$/.test(path));
    const governed = await staticFiles(join(vsix.folder, governance));
    expect([...governed].filter((path) => !proxy.has(path)).length).toBeLessThanOrEqual(6);
  });

  it('recognizes errors of the modules that it loads later from another bundle', async () => {
    const { SessionStore } = await import(inside('dist/late/sessions/session-store.mjs'));
    const error = thrownBy(() => new SessionStore({ AGENTCORE_STATE_DIR: 'here' }, 'extension'));
    expect(error.constructor).not.toBe(AgentCoreError);
    expect(error).toBeInstanceOf(AgentCoreError);
  });

  it('has a page whose links and images work from any site', async () => {
    const page = await readFile(inside('readme.md'), 'utf8');
    const targets = [...page.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target as string);
    expect(targets.length).toBeGreaterThan(10);
    expect(targets.filter((target) => !/^(https:\/\/|#)/.test(target))).toEqual([]);
  });

  it('has the metadata that the Marketplace requires', async () => {
    const manifest = JSON.parse(await readFile(inside('package.json'), 'utf8'));
    const icon = await readFile(inside(manifest.icon));
    // The size of a PNG is in its first chunk.
    expect([icon.readUInt32BE(16), icon.readUInt32BE(20)]).toEqual([256, 256]);
    expect(manifest.galleryBanner).toEqual({
      color: expect.stringMatching(/^#[0-9a-f]{6}$/),
      theme: 'dark',
    });
    expect(manifest.categories).toEqual(['AI', 'Chat', 'Other']);
    expect(manifest.keywords.length).toBeLessThanOrEqual(10);
    expect(manifest.bugs.url).toMatch(/^https:/);
    // A file that does not exist yet would be missing from the page.
    const page = await readFile('README.md', 'utf8');
    const pictures = [...page.matchAll(/\]\((media\/[^)]+)\)/g)].map(([, path]) => path as string);
    expect(pictures.length).toBeGreaterThan(4);
    for (const path of pictures) await access(path);
  });

  it('has a proxy that reports a missing setting', async () => {
    const proxy = startPackaged({});
    const { code } = await proxy.close();
    expect(code).toBe(2);
    expect(proxy.stderr).toBe(
      'agentcore-mcp: AGENTCORE_AGENT_ARN is not set: set it to the ARN of the runtime or gateway to talk to\n',
    );
  });

  it('has a proxy that connects a client to a runtime', async () => {
    const local = await start({ server: statefulMcp() });
    const { arn } = local.runtime('server');
    const proxy = startPackaged({
      AWS_CONFIG_FILE: '/nonexistent/config',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/credentials',
      AWS_ENDPOINT_URL: local.url,
      ...local.env,
      AGENTCORE_AGENT_ARN: arn,
    });
    const { result } = await proxy.initialize();
    expect(result.serverInfo.name).toBeTruthy();
    const counted = await proxy.call('count');
    expect(counted.result.content[0].text).toBe('1');
    await proxy.close();
    expect(proxy.noise).toEqual([]);
    expect(local.sessions().map(({ state }) => state)).toEqual(['Stopped']);
  });
});

/** The file and all files that it imports statically. */
async function staticFiles(path: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(path)) return found;
  found.add(path);
  const code = await readFile(path, 'utf8');
  for (const [, next = ''] of code.matchAll(/\bimport\s*(?:[^"'()]*\bfrom\s*)?"(\.[^"]+)"/g)) {
    await staticFiles(join(dirname(path), next), found);
  }
  return found;
}

function thrownBy(act: () => unknown): object {
  try {
    act();
  } catch (thrown) {
    return thrown as object;
  }
  throw new Error('It threw nothing');
}
