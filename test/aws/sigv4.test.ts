import { describe, expect, it } from 'vitest';
import { SigningClock } from '../../src/aws/sigv4.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');

function clock() {
  const said: string[] = [];
  return {
    clock: new SigningClock(
      (level, words) => said.push(`${level}: ${words}`),
      () => NOW,
    ),
    said,
  };
}

describe('the signing clock', () => {
  it('uses the local time if it is close to AWS time', () => {
    const { clock: aws, said } = clock();
    for (const date of ['Thu, 01 Jan 2026 12:01:50 GMT', undefined, 'yesterday']) aws.learn(date);
    expect(aws.now()).toBe(NOW);
    expect(aws.wasCorrectedSince(0)).toBe(false);
    expect(said).toEqual([]);
  });

  it('uses the time from AWS responses otherwise, and reports this once', () => {
    const { clock: aws, said } = clock();
    aws.learn('Thu, 01 Jan 2026 11:40:00 GMT');
    aws.learn('Thu, 01 Jan 2026 11:40:05 GMT');
    expect(aws.now()).toBe(NOW - 20 * 60_000);
    expect(said).toEqual([
      'warning: Requests are signed with the time of AWS: the clock of this machine is 20 minutes fast, set it',
    ]);
  });

  it('uses the local time again once that is corrected', () => {
    const { clock: aws, said } = clock();
    aws.learn('Thu, 01 Jan 2026 17:00:00 GMT');
    const moment = performance.now();
    aws.learn('Thu, 01 Jan 2026 12:00:01 GMT');
    expect(aws.now()).toBe(NOW);
    expect(aws.wasCorrectedSince(moment - 1)).toBe(true);
    expect(said).toHaveLength(1);
  });
});
