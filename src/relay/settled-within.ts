/** Resolves when `work` has settled, an error included, or after `milliseconds`; never rejects. */
export async function settledWithin(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([work, late]);
  } catch {
    // The caller only needs to know that it is over.
  } finally {
    clearTimeout(timer);
  }
}
