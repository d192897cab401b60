import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TaskQueue } from '../../src/base/async.ts';

const never = () => new Promise<void>(() => undefined);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Whether later work continues after this many more milliseconds. */
async function goesOn(turns: TaskQueue, milliseconds: number): Promise<boolean> {
  await vi.advanceTimersByTimeAsync(milliseconds);
  return turns.last === undefined;
}

it('runs work in order of arrival', async () => {
  const turns = new TaskQueue();
  const done: string[] = [];
  let release = () => {};
  const first = turns.take(
    () =>
      new Promise<void>((resolve) => {
        release = () => {
          done.push('first');
          resolve();
        };
      }),
  );
  const second = turns.take(async () => void done.push('second'), 1_000);
  expect(await goesOn(turns, 60_000)).toBe(false);
  release();
  await Promise.all([first, second]);
  expect(done).toEqual(['first', 'second']);
  expect(await goesOn(turns, 0)).toBe(true);
});

it('waits a bounded time for work that never ends, regardless of its amount', async () => {
  const turns = new TaskQueue();
  void turns.take(never, 1_000);
  void turns.take(never, 1_000);
  expect(await goesOn(turns, 999)).toBe(false);
  expect(await goesOn(turns, 1)).toBe(true);
});

it('counts that time from the end of the previous work', async () => {
  const turns = new TaskQueue();
  let release = () => {};
  void turns.take(
    () =>
      new Promise<void>((resolve) => {
        release = resolve;
      }),
  );
  void turns.take(never, 1_000);
  expect(await goesOn(turns, 5_000)).toBe(false);
  release();
  expect(await goesOn(turns, 999)).toBe(false);
  expect(await goesOn(turns, 1)).toBe(true);
});

it('continues after failed work', async () => {
  const turns = new TaskQueue();
  const failed = turns.take(() => Promise.reject(new Error('refused')));
  await expect(failed).rejects.toThrow('refused');
  expect(await goesOn(turns, 0)).toBe(true);
});
