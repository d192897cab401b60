/**
 * Work that can pause: it yields after each small part, so that a large message does not hold up
 * the others. It yields work for other threads as a function that starts it (see {@link awaited}).
 */
export type Sliced<T> = Generator<(() => Promise<void>) | undefined, T, undefined>;

/** Milliseconds after which other work of the process gets its turn. */
const SLICE_MS = 10;

/** Runs the work; a small one ends without a pause. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  let began = performance.now();
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return step.value;
    if (step.value) await step.value();
    else if (performance.now() - began < SLICE_MS) continue;
    else await nextTurn();
    began = performance.now();
  }
}

/** Resolves when all other work of the process that was ready has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Runs work on a text of bounded length without a pause, and without other threads. */
export function atOnce<T>(work: Sliced<T>): T {
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}

/** The result of work in another thread; undefined if the caller does not wait ({@link atOnce}). */
export function* awaited<T>(start: () => Promise<T>): Sliced<T | undefined> {
  let result: T | undefined;
  yield async () => {
    result = await start();
  };
  return result;
}
