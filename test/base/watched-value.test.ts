import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { WatchedValue } from '../../src/base/watched-value.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import { temporaryFolder } from '../state/journal/fixture.ts';

/** A value whose loads return 1, 2, 3 and so on, once the test releases them. */
function setUp(isHeld = false) {
  let count = 0;
  let release = () => {};
  const load = vi.fn(async () => {
    if (isHeld) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    count += 1;
    return count;
  });
  const watched = new WatchedValue({
    initial: 0,
    load,
    isEqual: (_, loaded) => loaded > 2,
    debounceMs: 100,
    pollIntervalMs: (value) => (value === 1 ? 1_000 : 5_000),
  });
  onTestFinished(() => watched.dispose());
  const events: number[] = [];
  const subscription = watched.onDidChange((value) => events.push(value));
  return { watched, load, events, subscription, release: () => release() };
}

describe('a watched value', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is loaded on request, and emits an event unless the loaded value is equal', async () => {
    const { watched, events } = setUp();
    expect(watched.value).toBe(0);
    expect(await watched.refresh()).toBe(1);
    await watched.refresh();
    await watched.refresh();
    expect(watched.value).toBe(3);
    expect(events).toEqual([1, 2]);
  });

  it('emits no event to a listener that was disposed', async () => {
    const { watched, events, subscription } = setUp();
    subscription.dispose();
    await watched.refresh();
    expect(events).toEqual([]);
  });

  it('is loaded again after a request during a load, once for all requests', async () => {
    const { watched, load, release } = setUp(true);
    const first = watched.refresh();
    const others = [watched.refresh(), watched.ready()];
    release();
    await vi.waitFor(() => expect(load).toHaveBeenCalledTimes(2));
    release();
    expect(await Promise.all([first, ...others])).toEqual([2, 2, 2]);
    const next = watched.refresh();
    release();
    expect(await next).toBe(3);
  });

  it('is loaded once, a short time after the first of several invalidations', async () => {
    const { watched, load } = setUp();
    watched.invalidate();
    await vi.advanceTimersByTimeAsync(60);
    watched.invalidate();
    expect(load).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(40);
    expect(load).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('is ready without a load unless it is new or invalidated', async () => {
    const { watched, load } = setUp();
    expect(await watched.ready()).toBe(1);
    expect(await watched.ready()).toBe(1);
    watched.invalidate();
    expect(await watched.ready()).toBe(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('is loaded periodically between start and stop, with an interval that depends on it', async () => {
    const { watched, load } = setUp();
    watched.start();
    watched.start();
    await vi.advanceTimersByTimeAsync(999);
    expect(load).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(load).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(load).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(load).toHaveBeenCalledTimes(3);
    watched.stop();
    await watched.refresh();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(load).toHaveBeenCalledTimes(4);
  });

  it('is not loaded after its disposal, and emits no event', async () => {
    const { watched, load, events, release } = setUp(true);
    watched.start();
    watched.dispose();
    release();
    await vi.advanceTimersByTimeAsync(20_000);
    watched.invalidate();
    await watched.refresh();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(load).toHaveBeenCalledTimes(1);
    expect(events).toEqual([]);
  });
});

it('is loaded after a change of a directory that it watches, also if it is created later', async () => {
  const folder = join(await temporaryFolder(), 'created-later');
  class WatchedDirectory extends WatchedValue<number> {
    constructor() {
      let loads = 0;
      super({
        initial: 0,
        load: async () => {
          this.watch(folder);
          loads += 1;
          return loads;
        },
        debounceMs: 1,
      });
    }
  }
  const watched = new WatchedDirectory();
  onTestFinished(() => watched.dispose());
  await watched.refresh();
  await mkdir(folder);
  await watched.refresh();
  await writeFile(join(folder, 'file'), '');
  await expect.poll(() => watched.value, { timeout: MAX_WAIT_MS }).toBeGreaterThan(2);
});
