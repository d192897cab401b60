/**
 * Tolerated skew in milliseconds. AWS tolerates five minutes; the rest allows for slow responses.
 */
export const BEARABLE_SKEW = 120_000;

/**
 * Describes the skew of a clock as the end of a sentence. Returns `undefined` if it is tolerated.
 *
 * @param date The `Date` header of a response.
 * @param now The clock's time, in milliseconds since the epoch.
 */
export function describeClockSkew(date: string | undefined, now = Date.now()): string | undefined {
  const skew = now - Date.parse(date ?? '');
  if (!(Math.abs(skew) > BEARABLE_SKEW)) return undefined;
  const minutes = Math.round(Math.abs(skew) / 60_000);
  const off = minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
  return `the clock of this machine is ${off} ${skew > 0 ? 'fast' : 'slow'}, set it`;
}
