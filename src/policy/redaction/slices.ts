/**
 * Work that can pause: it yields after each small part, so that a large message does not hold up
 * the others.
 */
export type Sliced<T> = Generator<undefined, T, undefined>;

/** Milliseconds after which other work of the process gets its turn. */
const SLICE_MS = 20;

/** Runs the work; a small one ends without a pause. */
export async function inSlices<T>(work: Sliced<T>): Promise<T> {
  let began = performance.now();
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return step.value;
    if (performance.now() - began < SLICE_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = performance.now();
  }
}

/** Runs work on a text of bounded length without a pause. */
export function atOnce<T>(work: Sliced<T>): T {
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}
