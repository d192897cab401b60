/**
 * Work that can pause. It yields after each small part, so that a large message does not delay
 * others. It yields work for other threads as a function that starts it (see {@link awaited}).
 */
export type Sliced<T> = Generator<(() => Promise<void>) | undefined, T, undefined>;

/** Milliseconds after which other work of the process can run. */
const SLICE_MS = 10;

/** Runs the work. Small work ends without a pause. */
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

/** The result of work in another thread. Undefined if the caller does not wait ({@link runSynchronously}). */
export function* awaitResult<T>(start: () => Promise<T>): Sliced<T | undefined> {
  let result: T | undefined;
  yield async () => {
    result = await start();
  };
  return result;
}
