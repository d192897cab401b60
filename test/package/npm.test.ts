import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { installedTarball, type Unpacked, unexpected, unmatched } from './packages.ts';

const MEGABYTE = 1024 * 1024;

/** The exact files of the package. */
const EXPECTED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^dist\/[a-z]+(-[a-z]+)*\.js$/,
  /^dist\/chunks\/[\w-]+-[A-Z0-9]{8}\.mjs$/,
  /^dist\/late(\/[a-z]+(-[a-z]+)*)+\.mjs$/,
];

describe('the npm package', () => {
  let npm: Unpacked;

  beforeAll(async () => {
    npm = await installedTarball();
    return npm.remove;
  }, 240_000);

  it('contains exactly the expected files', () => {
    expect(unexpected(npm.paths, EXPECTED)).toEqual([]);
    expect(unmatched(npm.paths, EXPECTED)).toEqual([]);
    // Only VS Code can load it.
    expect(npm.paths).not.toContain('dist/extension.js');
  });

  it('is not larger than a megabyte', () => {
    expect(npm.size).toBeLessThanOrEqual(MEGABYTE);
  });

  it('has no dependencies', async () => {
    const lock = await readFile(join(npm.folder, 'package-lock.json'), 'utf8');
    const { packages } = JSON.parse(lock) as { readonly packages: object };
    expect(Object.keys(packages)).toEqual(['', 'node_modules/agentcore-mcp']);
  });

  it('installs a working program', async () => {
    const program = join(npm.folder, 'node_modules/.bin/agentcore-mcp');
    const { version } = JSON.parse(await readFile('package.json', 'utf8'));
    const { stdout, stderr } = await promisify(execFile)(program, ['--version'], {
      timeout: MAX_WAIT_MS,
      shell: process.platform === 'win32',
    });
    expect(stdout.trim()).toBe(version);
    expect(stderr).toBe('');
  });
});
