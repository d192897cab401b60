import { setTimeout as delay } from 'node:timers/promises';

/**
 * Concurrency: cancellation of waits, limits, queues, long work in slices, and a clock for tests.
 */

/**
 * Resolves with the work's result. Rejects with the signal's reason if the signal aborts first. If
 * both have happened before the call, the result counts.
 */
export async function rejectOnAbort<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Runs the work for each item, at most `atOnce` at a time. If one fails, it rejects, but the
 * other workers continue.
 */
export async function forEachConcurrent<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/**
 * Waits for work without cancellation. Rejects with the signal's reason if the signal aborts first.
 * If both have happened before the call, the abort counts.
 */
export async function withAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([aborted, work]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Runs tasks in order of arrival. */
export class TaskQueue {
  #last: Promise<void> | undefined;
  /** The latest task without a time limit. */
  #unbounded: Promise<void> | undefined;

  /**
   * Settles, without an error, when the latest task is done or its time limit is over; `undefined`
   * if no task is running.
   */
  get last(): Promise<void> | undefined {
    return this.#last;
  }

  /**
   * Runs a task after all earlier tasks are done or out of time. Later tasks wait for it.
   *
   * @param boundMs Time after which later tasks continue without it; unlimited if omitted. Counted
   * from the end of the last unlimited task, so limits do not add up.
   */
  take<T>(work: () => Promise<T>, boundMs?: number): Promise<T> {
    const before = this.#last;
    const done = before ? before.then(work) : work();
    const settled = done.then(ignore, ignore);
    const last =
      boundMs === undefined
        ? settled
        : (this.#unbounded ?? Promise.resolve()).then(() => waitUntilSettled(done, boundMs));
    if (boundMs === undefined) this.#unbounded = settled;
    this.#last = last;
    void last.then(() => {
      if (this.#last === last) this.#last = undefined;
      if (this.#unbounded === last) this.#unbounded = undefined;
    });
    return done;
  }
}

function ignore(): void {}

/**
 * Passes the latest value for each key to a consumer. A slow consumer skips intermediate values, so
 * the queue stays small.
 */
export class Updates<K, V> implements AsyncIterable<V> {
  readonly #waiting = new Map<K, V>();
  #ended: { readonly failure?: unknown } | undefined;
  #wake: (() => void) | undefined;

  /** Queues a value. It replaces a pending value with the same key. */
  set(key: K, value: V): void {
    this.#waiting.set(key, value);
    this.#wake?.();
  }

  /** Ends the iteration after the pending values. */
  end(): void {
    this.#ended = {};
    this.#wake?.();
  }

  /** Throws the failure to the consumer after the pending values. */
  fail(failure: unknown): void {
    this.#ended = { failure };
    this.#wake?.();
  }

  /** Supports one consumer only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<V> {
    for (;;) {
      for (const [key, value] of this.#waiting) {
        this.#waiting.delete(key);
        yield value;
      }
      if (this.#ended) {
        if ('failure' in this.#ended) throw this.#ended.failure;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** Resolves when `work` has settled, even with an error, or after `milliseconds`. Never rejects. */
export async function waitUntilSettled(
  work: Promise<unknown>,
  milliseconds: number,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([work, late]);
  } catch {
    // Errors do not matter here: the caller only waits.
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Work with pauses. It yields after each small part, so a large message does not delay
 * others. It yields work for other threads as a function that starts it (see {@link awaitResult}).
 */
export type Sliced<T> = Generator<(() => Promise<void>) | undefined, T, undefined>;

/** Milliseconds after which other work of the process can run. */
const SLICE_MS = 10;

/** Runs the work. If the work is small, it ends without a pause. */
export async function runInSlices<T>(work: Sliced<T>): Promise<T> {
  let began = performance.now();
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return step.value;
    if (step.value) await step.value();
    else if (performance.now() - began < SLICE_MS) continue;
    else await yieldToEventLoop();
    began = performance.now();
  }
}

/** Resolves after all other pending work of the process has run. */
export function yieldToEventLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs work on a text of bounded length without a pause, and without other threads. */
export function runSynchronously<T>(work: Sliced<T>): T {
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}

/**
 * Returns the result of work in another thread. `undefined` if the caller does not wait, as in
 * {@link runSynchronously}.
 */
export function* awaitResult<T>(start: () => Promise<T>): Sliced<T | undefined> {
  let result: T | undefined;
  yield async () => {
    result = await start();
  };
  return result;
}

/** Time and randomness, replaceable in tests. */
export interface Timing {
  /** Milliseconds since 1970. */
  now(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

/** The real clock and `Math.random`. */
export const SYSTEM_TIMING: Timing = {
  now: Date.now,
  random: Math.random,
  sleep: async (milliseconds, signal) => {
    try {
      await delay(milliseconds, undefined, { signal });
    } catch {
      signal.throwIfAborted();
    }
  },
};
