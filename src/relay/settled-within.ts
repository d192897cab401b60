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
