import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFileOnce, DirectoryWatcher, getFileFingerprint } from '../../src/base/files.ts';
import { temporaryFolder } from '../fixtures/tls.ts';

describe('createFileOnce', () => {
  it('creates a private file, and returns false if it exists', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'file');
    expect(await createFileOnce(path, 'first')).toBe(true);
    expect(await createFileOnce(path, 'second')).toBe(false);
    expect(await readFile(path, 'utf8')).toBe('first');
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('accepts exactly one of several writers', async () => {
    const path = join(await temporaryFolder(), 'file');
    const writers = Array.from({ length: 10 }, (_, writer) => createFileOnce(path, `${writer}`));
    const results = await Promise.all(writers);
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await readFile(path, 'utf8')).toBe(`${results.indexOf(true)}`);
  });

  it('rejects if the directory is missing', async () => {
    const path = join(await temporaryFolder(), 'missing', 'file');
    await expect(createFileOnce(path, 'text')).rejects.toThrow('ENOENT');
  });
});

describe('DirectoryWatcher', () => {
  it('starts when the directory exists, and reports changes until it is closed', async () => {
    const folder = join(await temporaryFolder(), 'later');
    let changes = 0;
    const watcher = new DirectoryWatcher(folder, () => {
      changes += 1;
    });
    onTestFinished(() => watcher.close());
    expect(watcher.start()).toBe(false);
    await mkdir(folder);
    expect(watcher.start()).toBe(true);
    expect(watcher.start()).toBe(false);
    await writeFile(join(folder, 'file'), 'text');
    await expect.poll(() => changes).toBeGreaterThan(0);
    watcher.close();
    expect(watcher.start()).toBe(false);
  });
});

it('returns a fingerprint that changes when a file is created, written or replaced', async () => {
  const path = join(await temporaryFolder(), 'file');
  const seen = new Set([getFileFingerprint([path])]);
  for (const content of ['one', 'other', 'longer']) {
    await writeFile(path, content);
    seen.add(getFileFingerprint([path]));
  }
  expect(seen.size).toBe(4);
});
