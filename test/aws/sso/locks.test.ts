import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { locked } from '../../../src/aws/sso/private-file.ts';
import { temporaryFolder } from '../../fixtures/tls.ts';

const never = new AbortController().signal;
const LONG_AGO = new Date(Date.now() - 3_600_000);

describe('a lock', () => {
  it('is never held by two of many processes, even if its holder died', async () => {
    const file = join(await temporaryFolder(), 'file');
    const program = fileURLToPath(new URL('./lock-contender.ts', import.meta.url));
    const contenders = Array.from({ length: 4 }, () =>
      fork(program, [file], { execArgv: ['--disable-warning=ExperimentalWarning'] }),
    );
    const codes = await Promise.all(
      contenders.map(async (contender) => (await once(contender, 'exit'))[0]),
    );
    expect(codes).toEqual([0, 0, 0, 0]);
    expect((await readFile(`${file}.entries`, 'utf8')).length).toBe(4 * 25);
    expect((await readdir(join(file, '..'))).sort()).toEqual(['file.entries']);
  });

  it.each([
    ['an hour ago', LONG_AGO],
    ['in an hour, by a wrong clock', new Date(Date.now() + 3_600_000)],
  ])('of a dead program is ignored if it was created %s', async (_, time) => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(`${file}.lock`, '');
    await utimes(`${file}.lock`, time, time);
    expect(await locked(file, never, async () => 'done')).toBe('done');
    expect(await readdir(join(file, '..'))).toEqual([]);
  });

  it('is taken over even if another program died during its takeover', async () => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(`${file}.lock`, '');
    await utimes(`${file}.lock`, LONG_AGO, LONG_AGO);
    const { ino, mtimeNs } = await stat(`${file}.lock`, { bigint: true });
    const right = `${file}.lock.${ino}-${mtimeNs}`;
    await writeFile(right, '');
    await utimes(right, LONG_AGO, LONG_AGO);
    expect(await locked(file, never, async () => 'done')).toBe('done');
    expect(await readdir(join(file, '..'))).toEqual([]);
  });

  it('that was taken over is not removed by its slow former holder', async () => {
    const file = join(await temporaryFolder(), 'file');
    await locked(file, never, async () => {
      await utimes(`${file}.lock`, LONG_AGO, LONG_AGO);
      await locked(file, never, async () => undefined);
      await writeFile(`${file}.lock`, 'of another');
    });
    expect(await readFile(`${file}.lock`, 'utf8')).toBe('of another');
  });
});
