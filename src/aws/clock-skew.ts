/** Milliseconds by which a clock may be off: AWS bears five minutes, and answers take their time. */
export const BEARABLE_SKEW = 120_000;

/**
 * By how much a clock is off, as the end of a sentence; `undefined` if it is not.
 *
 * @param date An answer's `Date`.
 * @param now The clock's time, in milliseconds since the epoch.
 */
export function skewSentence(date: string | undefined, now = Date.now()): string | undefined {
  const skew = now - Date.parse(date ?? '');
  if (!(Math.abs(skew) > BEARABLE_SKEW)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const off = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return `the clock of this machine is ${off} ${skew > 0 ? 'fast' : 'slow'}, set it`;
}
