import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  Debouncer,
  getBackoffDelay,
  KeyedSingleFlight,
  type MaybePromise,
  mapConcurrent,
  runSteps,
  SingleFlight,
  sleep,
  TaskQueue,
  waitUntil,
  waitUntilSettled,
  withAbort,
  withTimeout,
} from '../../src/base/async.ts';

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

describe('withAbort', () => {
  it('settles like the promise if no abort happens', async () => {
    const { signal } = new AbortController();
    expect(await withAbort(Promise.resolve('done'), signal)).toBe('done');
    await expect(withAbort(Promise.reject(new Error('refused')), signal)).rejects.toThrow(
      'refused',
    );
  });

  it('rejects with the reason when the signal aborts', async () => {
    const ending = new AbortController();
    const waiting = withAbort(never(), ending.signal);
    ending.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
  });

  it('rejects if the signal has aborted before, even if the promise is resolved', async () => {
    const aborted = AbortSignal.abort(new Error('cancelled'));
    await expect(withAbort(Promise.resolve('done'), aborted)).rejects.toThrow('cancelled');
  });
});

describe('withTimeout', () => {
  it('settles like the promise in time, and leaves no timer', async () => {
    const late = () => new Error('late');
    expect(await withTimeout(Promise.resolve('done'), 1_000, late)).toBe('done');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rejects with the error after the time', async () => {
    const waiting = withTimeout(never(), 1_000, () => new Error('late'));
    const rejected = expect(waiting).rejects.toThrow('late');
    await vi.advanceTimersByTimeAsync(1_000);
    await rejected;
  });
});

describe('waitUntilSettled', () => {
  it('ignores errors', async () => {
    await waitUntilSettled(Promise.reject(new Error('refused')), 1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('stops waiting after the time', async () => {
    let isOver = false;
    void waitUntilSettled(never(), 1_000).then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver).toBe(true);
  });
});

describe('sleep', () => {
  it('resolves after the time', async () => {
    let isOver = false;
    void sleep(1_000).then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isOver).toBe(true);
  });

  it('rejects with the reason when the signal aborts, and leaves no timer', async () => {
    const ending = new AbortController();
    const sleeping = sleep(1_000, ending.signal);
    ending.abort(new Error('cancelled'));
    await expect(sleeping).rejects.toThrow('cancelled');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('waitUntil', () => {
  it('returns true when the condition becomes true', async () => {
    let isReady = false;
    const waiting = waitUntil(() => isReady, { intervalMs: 100, timeoutMs: 1_000 });
    await vi.advanceTimersByTimeAsync(250);
    isReady = true;
    await vi.advanceTimersByTimeAsync(50);
    expect(await waiting).toBe(true);
  });

  it('returns false after the timeout, and checks at least once', async () => {
    const isReady = vi.fn(() => false);
    expect(await waitUntil(isReady, { intervalMs: 100, timeoutMs: 0 })).toBe(false);
    expect(isReady).toHaveBeenCalledOnce();
    const waiting = waitUntil(async () => false, { intervalMs: 100, timeoutMs: 1_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await waiting).toBe(false);
  });

  it('rejects with the reason when the signal aborts', async () => {
    const ending = new AbortController();
    const { signal } = ending;
    const waiting = waitUntil(() => false, { intervalMs: 100, timeoutMs: 1_000, signal });
    ending.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
  });
});

it('doubles the backoff delay up to the maximum, and shortens it by up to half', () => {
  const backoff = { initialMs: 200, maxMs: 1_000 };
  const delays = (random: number) =>
    [1, 2, 3, 4, 50].map((attempt) => getBackoffDelay(attempt, backoff, () => random));
  expect(delays(1)).toEqual([200, 400, 800, 1_000, 1_000]);
  expect(delays(0)).toEqual([100, 200, 400, 500, 500]);
});

describe('mapConcurrent', () => {
  it('runs for a limited number of items at once, and returns results in their order', async () => {
    let underWay = 0;
    let most = 0;
    const items = [...Array(20).keys()];
    const running = mapConcurrent(items, 4, async (item) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(20 - item);
      underWay -= 1;
      return 2 * item;
    });
    await vi.runAllTimersAsync();
    expect(await running).toEqual(items.map((item) => 2 * item));
    expect(most).toBe(4);
  });

  it('rejects with the first error, and starts no more work', async () => {
    const started: number[] = [];
    const running = mapConcurrent([1, 2, 3, 4], 2, async (item) => {
      started.push(item);
      if (item === 1) throw new Error('refused');
      await sleep(10);
    });
    await expect(running).rejects.toThrow('refused');
    await vi.runAllTimersAsync();
    expect(started).toEqual([1, 2]);
  });
});

describe('KeyedSingleFlight', () => {
  it('shares a run among callers with the same key only', async () => {
    const flight = new KeyedSingleFlight<string>();
    let runs = 0;
    const load = async () => {
      await sleep(10);
      return `run ${++runs}`;
    };
    const all = Promise.all([flight.run('a', load), flight.run('b', load), flight.run('a', load)]);
    await vi.runAllTimersAsync();
    expect(await all).toEqual(['run 1', 'run 2', 'run 1']);
    const again = flight.run('a', load);
    await vi.runAllTimersAsync();
    expect(await again).toBe('run 3');
  });
});

describe('SingleFlight', () => {
  it('shares one run among concurrent callers, and then starts a new one', async () => {
    const flight = new SingleFlight<number>();
    let runs = 0;
    const load = async () => {
      await sleep(10);
      return ++runs;
    };
    const both = Promise.all([flight.run(load), flight.run(load)]);
    expect(flight.pending).toBeDefined();
    await vi.runAllTimersAsync();
    expect(await both).toEqual([1, 1]);
    expect(flight.pending).toBeUndefined();
    const third = flight.run(load);
    await vi.runAllTimersAsync();
    expect(await third).toBe(2);
  });

  it('shares an error, and runs again after it', async () => {
    const flight = new SingleFlight<string>();
    const refuse = () => Promise.reject(new Error('refused'));
    const [one, other] = [flight.run(refuse), flight.run(refuse)];
    await expect(one).rejects.toThrow('refused');
    await expect(other).rejects.toThrow('refused');
    expect(await flight.run(async () => 'done')).toBe('done');
  });
});

describe('Debouncer', () => {
  it('runs once for a burst, after the time since its first trigger', async () => {
    const run = vi.fn();
    const debouncer = new Debouncer(run, 100);
    for (let trigger = 0; trigger < 3; trigger++) {
      debouncer.trigger();
      await vi.advanceTimersByTimeAsync(33);
    }
    expect(run).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(run).toHaveBeenCalledOnce();
    debouncer.trigger();
    await vi.advanceTimersByTimeAsync(100);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('starts the time again on restart', async () => {
    const run = vi.fn();
    const debouncer = new Debouncer(run, 100);
    debouncer.trigger();
    await vi.advanceTimersByTimeAsync(99);
    debouncer.restart();
    await vi.advanceTimersByTimeAsync(99);
    expect(run).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(run).toHaveBeenCalledOnce();
  });

  it('does not run after it is cancelled or disposed', async () => {
    const run = vi.fn();
    const debouncer = new Debouncer(run, 100);
    debouncer.trigger();
    debouncer.cancel();
    await vi.advanceTimersByTimeAsync(100);
    debouncer.trigger();
    debouncer.dispose();
    debouncer.trigger();
    await vi.advanceTimersByTimeAsync(100);
    expect(run).not.toHaveBeenCalled();
  });
});

describe('work in steps', () => {
  function* add(
    one: MaybePromise<number>,
    other: MaybePromise<number>,
  ): Generator<MaybePromise<number>, number, number> {
    return (yield one) + (yield other);
  }

  it('ends without a wait if no step is a promise', () => {
    expect(runSteps(add(1, 2))).toBe(3);
  });

  it('waits for promises, and gets their errors', async () => {
    expect(await runSteps(add(Promise.resolve(1), 2))).toBe(3);
    await expect(runSteps(add(1, Promise.reject(new Error('no'))))).rejects.toThrow('no');
  });
});
