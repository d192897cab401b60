import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ExpiringValue, LruCache } from '../../src/base/cache.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Key {
  readonly id: number;
  readonly expiresAt: number | undefined;
}

/** Issues keys for these lifetimes; the last one repeats. `undefined` rejects the load. */
function issue(...lifetimes: readonly (number | 'unlimited' | undefined)[]) {
  const loads: boolean[] = [];
  const cached = new ExpiringValue<Key>({
    load: async (isBackground) => {
      const lifetime = lifetimes[Math.min(loads.length, lifetimes.length - 1)];
      loads.push(isBackground);
      const id = loads.length;
      await Promise.resolve();
      if (lifetime === undefined) throw new Error('refused');
      return { id, expiresAt: lifetime === 'unlimited' ? undefined : Date.now() + lifetime };
    },
    getExpiry: ({ expiresAt }) => expiresAt,
    isSame: (one, other) => one.id === other.id,
    now: Date.now,
  });
  const getId = async () => (await cached.get()).id;
  return { cached, getId, loads };
}

it('loads once for concurrent callers, and again after the expiry', async () => {
  const { cached, getId } = issue(HOUR);
  expect(cached.current).toBeUndefined();
  expect(await Promise.all([getId(), getId()])).toEqual([1, 1]);
  expect(cached.current?.id).toBe(1);
  await vi.advanceTimersByTimeAsync(HOUR - 5_000);
  expect(cached.current).toBeUndefined();
  expect(await getId()).toBe(2);
});

it('keeps a value without expiry', async () => {
  const { getId } = issue('unlimited');
  await getId();
  await vi.advanceTimersByTimeAsync(1_000 * HOUR);
  expect(await getId()).toBe(1);
});

it('refreshes a used value in the background before it expires', async () => {
  const { getId, loads } = issue(HOUR);
  await getId();
  await getId();
  await vi.advanceTimersByTimeAsync(56 * MINUTE);
  expect(loads).toEqual([false, true]);
  expect(await getId()).toBe(2);
});

it('does not refresh a value without use', async () => {
  const { getId, loads } = issue(HOUR);
  await getId();
  await vi.advanceTimersByTimeAsync(2 * HOUR);
  expect(loads).toEqual([false]);
});

it('waits between background refreshes without a newer value', async () => {
  const { getId, loads } = issue(HOUR, undefined, 1, HOUR);
  await getId();
  await vi.advanceTimersByTimeAsync(56 * MINUTE);
  expect(await getId()).toBe(1);
  await vi.advanceTimersByTimeAsync(29_999);
  expect(await getId()).toBe(1);
  expect(loads).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(loads).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(29_999);
  expect(loads).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1);
  expect(await getId()).toBe(4);
});

it('refreshes once for all calls that were rejected with the same value', async () => {
  const { cached, getId, loads } = issue(HOUR);
  await getId();
  const since = performance.now();
  await vi.advanceTimersByTimeAsync(1);
  expect(await Promise.all([cached.refresh(since), cached.refresh(since)])).toEqual([true, true]);
  expect(await cached.refresh(since)).toBe(true);
  expect(loads).toEqual([false, true]);
});

it('returns false for all rejected calls if the refresh returns the same value', async () => {
  let loads = 0;
  const cached = new ExpiringValue({
    load: async () => {
      loads += 1;
      return 'same';
    },
    getExpiry: () => undefined,
    isSame: (one, other) => one === other,
    now: Date.now,
  });
  await cached.get();
  const since = performance.now();
  await vi.advanceTimersByTimeAsync(1);
  expect(await cached.refresh(since)).toBe(false);
  expect(await cached.refresh(since)).toBe(false);
  expect(loads).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(await cached.refresh(performance.now())).toBe(false);
  expect(loads).toBe(3);
});

it('rejects if a refresh after a rejected call fails, and keeps the value', async () => {
  const { cached, getId } = issue(HOUR, undefined);
  await getId();
  await expect(cached.refresh(performance.now())).rejects.toThrow('refused');
  expect(await getId()).toBe(1);
});

it('loads in the foreground after a rejected call if the value has expired', async () => {
  const { cached, getId, loads } = issue(HOUR);
  await getId();
  await vi.advanceTimersByTimeAsync(HOUR);
  expect(await cached.refresh(performance.now())).toBe(true);
  expect(loads).toEqual([false, false]);
});

it('uses the result of a background refresh in progress', async () => {
  let finish = () => {};
  let loads = 0;
  const cached = new ExpiringValue({
    load: async () => {
      loads += 1;
      if (loads === 2) await new Promise<void>((resolve) => (finish = resolve));
      return { id: loads, expiresAt: Date.now() + HOUR };
    },
    getExpiry: ({ expiresAt }) => expiresAt,
    isSame: (one, other) => one.id === other.id,
    now: Date.now,
  });
  await cached.get();
  await cached.get();
  await vi.advanceTimersByTimeAsync(HOUR);
  expect(loads).toBe(2);
  const waiting = cached.get();
  finish();
  expect((await waiting).id).toBe(2);
  expect(loads).toBe(2);
});

it('replaces the value on request', async () => {
  const { cached, getId } = issue(HOUR);
  await getId();
  cached.set({ id: 10, expiresAt: Date.now() + HOUR });
  expect(await getId()).toBe(10);
  expect((await cached.load()).id).toBe(2);
  expect(await getId()).toBe(2);
});

it('drops the older entries of an LRU cache, and keeps those in use', () => {
  const cache = new LruCache<string>(10, () => 1);
  for (let key = 0; key < 100; key++) {
    cache.set(`${key}`, `value ${key}`);
    expect(cache.get('0')).toBe('value 0');
  }
  const held = Array.from({ length: 100 }, (_, key) => cache.get(`${key}`)).filter(Boolean);
  expect(held.length).toBeLessThanOrEqual(10);
  expect(held).toContain('value 99');
  expect(held).toContain('value 97');
});
