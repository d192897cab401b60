/**
 * Concurrency: cancellation, timeouts, limits, queues, shared work, long work in slices, and a clock
 * for tests.
 */

/**
 * Waits for a promise without cancellation of its work. Rejects with the signal's reason if the
 * signal aborts first. If both have happened before the call, the abort counts.
 */
export async function withAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Rejects with the error if the promise has not settled after `ms`. Its work continues. */
export async function withTimeout<T>(
  promise: Promise<T>,
  ms: number,
  createError: () => unknown,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(createError()), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the promise has settled, even with an error, or after `ms`. Never rejects. */
export async function waitUntilSettled(promise: Promise<unknown>, ms: number): Promise<void> {
  await withTimeout(promise, ms, () => undefined).catch(() => undefined);
}

/** Resolves after `ms`. Rejects with the signal's reason if the signal aborts first. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await (signal ? withAbort(over, signal) : over);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Checks a condition until it is true or the time is over. At least one check happens.
 *
 * @returns false if the time is over.
 * @throws the signal's reason when the signal aborts.
 */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  options: {
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  },
): Promise<boolean> {
  const { intervalMs, timeoutMs, signal } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await isTrue()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(intervalMs, signal);
  }
}

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/** Runs work whose steps may be promises. If none is, it ends without a wait. */
export function runSteps<S, T>(work: Generator<MaybePromise<S>, T, S>): MaybePromise<T> {
  const resume = (step: IteratorResult<MaybePromise<S>, T>): MaybePromise<T> => {
    let current = step;
    while (!current.done) {
      const { value } = current;
      if (value instanceof Promise) {
        return value.then(
          (result) => resume(work.next(result)),
          (error) => resume(work.throw(error)),
        );
      }
      current = work.next(value);
    }
    return current.value;
  };
  return resume(work.next());
}

/** Delays between attempts. Each is twice as long as the one before, up to a maximum. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * The delay after a failed attempt, in milliseconds. It is random in part, because programs must
 * not retry together.
 *
 * @param attempt 1 for the first attempt.
 * @param random Returns a number from 0 to 1.
 */
export function getBackoffDelay(
  attempt: number,
  { initialMs, maxMs }: Backoff,
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, initialMs * 2 ** (attempt - 1));
  return full * (0.5 + random() / 2);
}

/**
 * Returns the result of `run` for each item, in the order of the items. At most `concurrency` run at
 * a time. If one fails, it rejects; the others in progress continue, but no new one starts.
 */
export async function mapConcurrent<T, R>(
  items: Iterable<T>,
  concurrency: number,
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = [...items].entries();
  let hasFailed = false;
  const work = async () => {
    for (const [index, item] of rest) {
      if (hasFailed) return;
      results[index] = await run(item);
    }
  };
  const fail = (error: unknown) => {
    hasFailed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: concurrency }, () => work().catch(fail)));
  return results;
}

/** Shares one run among concurrent callers. A call starts a new run if none is in progress. */
export class SingleFlight<T> {
  #pending: Promise<T> | undefined;

  /** The run in progress, if any. */
  get pending(): Promise<T> | undefined {
    return this.#pending;
  }

  /** Starts `load` if no run is in progress. */
  run(load: () => Promise<T>): Promise<T> {
    this.#pending ??= load().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }
}

/** A {@link SingleFlight} for each key. */
export class KeyedSingleFlight<T> {
  readonly #pending = new Map<string, Promise<T>>();

  /** Starts `load` if no run with this key is in progress. */
  run(key: string, load: () => Promise<T>): Promise<T> {
    const pending = this.#pending.get(key) ?? load().finally(() => this.#pending.delete(key));
    this.#pending.set(key, pending);
    return pending;
  }
}

/**
 * Merges a burst of triggers into one run. The run happens `ms` after the first trigger, so constant
 * triggers cannot prevent it. The timer does not keep the process alive.
 */
export class Debouncer {
  readonly #run: () => void;
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;
  #isDisposed = false;

  constructor(run: () => void, ms: number) {
    this.#run = run;
    this.#ms = ms;
  }

  /** Schedules a run if none is scheduled. */
  trigger(): void {
    if (this.#isDisposed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, this.#ms).unref();
  }

  /** Schedules a run, and cancels the scheduled one: the run happens `ms` after the last call. */
  restart(): void {
    this.cancel();
    this.trigger();
  }

  /** Cancels the scheduled run. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Cancels the scheduled run, and ignores later triggers. */
  dispose(): void {
    this.#isDisposed = true;
    this.cancel();
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

/** The current time and delays, replaceable in tests. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = { now: Date.now, sleep };
