import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { withFileLock } from '../../src/base/files.ts';
import { endWithTest } from '../fixtures/running.ts';
import { temporaryFolder } from '../fixtures/tls.ts';

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
    expect(await withFileLock(file, never, async () => 'done')).toBe('done');
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
    expect(await withFileLock(file, never, async () => 'done')).toBe('done');
    expect(await readdir(join(file, '..'))).toEqual([]);
  });

  it('that was taken over is not removed by its slow former holder', async () => {
    const file = join(await temporaryFolder(), 'file');
    await withFileLock(file, never, async () => {
      await utimes(`${file}.lock`, LONG_AGO, LONG_AGO);
      await withFileLock(file, never, async () => undefined);
      await writeFile(`${file}.lock`, 'of another');
    });
    expect(await readFile(`${file}.lock`, 'utf8')).toBe('of another');
  });

  it('is kept if another waiter took over the expired lock first', async () => {
    const file = await expiredLock();
    const slow = new Waiter(file);
    // It has seen the expired lock, and is about to remove it.
    expect(await slow.next()).toBe('looked');
    await withFileLock(file, never, async () => {
      const { ino, mtimeNs } = await stat(`${file}.lock`, { bigint: true });
      for (let attempt = 0; attempt < 4; attempt++) {
        slow.proceed();
        expect(await slow.next()).toBe('looked');
      }
      expect(await stat(`${file}.lock`, { bigint: true })).toMatchObject({ ino, mtimeNs });
    });
    await slow.finish(() => undefined);
    expect(await readdir(join(file, '..'))).toEqual([]);
  });

  it('is not taken over by a second waiter while the first one removes the expired lock', async () => {
    const file = await expiredLock();
    const [first, second] = [new Waiter(file), new Waiter(file)];
    expect(await first.next()).toBe('looked');
    first.proceed();
    // It has checked that the lock is still the expired one, and is about to remove it.
    expect(await first.next()).toBe('looked');
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await second.next()).toBe('looked');
      second.proceed();
    }
    first.proceed();
    let inside = 0;
    const enter = async () => {
      expect(++inside).toBe(1);
      await new Promise(setImmediate);
      inside -= 1;
    };
    await Promise.all([first.finish(enter), second.finish(enter)]);
    expect(await readdir(join(file, '..'))).toEqual([]);
  });
});

/** A file whose lock was left by a program that died. */
async function expiredLock(): Promise<string> {
  const file = join(await temporaryFolder(), 'file');
  await writeFile(`${file}.lock`, '');
  await utimes(`${file}.lock`, LONG_AGO, LONG_AGO);
  return file;
}

/** Another process that waits for a lock, one step at a time. */
class Waiter {
  readonly #child: ChildProcess;
  readonly #events: AsyncIterator<string>;

  constructor(file: string) {
    const program = fileURLToPath(new URL('./lock-stepper.ts', import.meta.url));
    const args = ['--disable-warning=ExperimentalWarning', program, file];
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    endWithTest(this.#child, async () => void this.#child.kill('SIGKILL'));
    const { stdout } = this.#child;
    this.#events = createInterface({ input: stdout as Readable })[Symbol.asyncIterator]();
  }

  /** The next step, which it has taken. It waits after that. */
  async next(): Promise<string> {
    return (await this.#events.next()).value;
  }

  proceed(): void {
    this.#child.stdin?.write('.');
  }

  /** Lets it take all further steps. */
  async finish(onInside: () => unknown): Promise<void> {
    for (let event = 'looked'; event !== 'done'; event = await this.next()) {
      if (event === 'inside') await onInside();
      this.proceed();
    }
    this.proceed();
  }
}
