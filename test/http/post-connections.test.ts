import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionThrottle } from '../../src/http/post.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the connection limit', () => {
  it('delays no request while few connections are open', () => {
    const pace = new ConnectionThrottle();
    for (let count = 0; count < 64; count++) expect(pace.enter()).toBeUndefined();
    expect(pace.enter()).toBeInstanceOf(Promise);
  });

  it('admits one waiting request when another leaves, in order of arrival', async () => {
    const pace = new ConnectionThrottle();
    for (let count = 0; count < 64; count++) pace.enter();
    const gone: string[] = [];
    void pace.enter()?.then(() => gone.push('first'));
    void pace.enter()?.then(() => gone.push('second'));
    pace.leave();
    await vi.advanceTimersByTimeAsync(0);
    expect(gone).toEqual(['first']);
  });

  it('admits all waiting requests if no connection becomes free for a moment', async () => {
    const pace = new ConnectionThrottle();
    for (let count = 0; count < 64; count++) pace.enter();
    const late = [pace.enter(), pace.enter()];
    await vi.advanceTimersByTimeAsync(25);
    await Promise.all(late);
  });

  it('admits each request after a bounded time, even if others are admitted before it', async () => {
    const pace = new ConnectionThrottle();
    for (let count = 0; count < 300; count++) void pace.enter();
    let gone = false;
    void pace.enter()?.then(() => {
      gone = true;
    });
    for (let time = 0; time < 250; time += 10) {
      expect(gone).toBe(false);
      pace.leave();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(gone).toBe(true);
  });
});

it('limits concurrent requests to the number of connections, and admits answers at once', async () => {
  const pace = new ConnectionThrottle(2);
  expect([pace.enter(), pace.enter()]).toEqual([undefined, undefined]);
  let gone = 0;
  const third = pace.enter()?.then(() => {
    gone++;
  });
  expect(pace.enter(true)).toBeUndefined();
  pace.leave();
  await Promise.resolve();
  expect(gone).toBe(0);
  pace.leave();
  await third;
  expect(gone).toBe(1);
});
