import { describe, expect, it } from 'vitest';
import { estimateCost, estimateIdleCost, formatCost, sumCosts } from '../../src/aws/pricing.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('the cost of a session', () => {
  it('for an hour is between 128 MB and 2 vCPU with 8 GB', () => {
    const { least, most } = estimateCost(HOUR);
    // 0.125 GB × $0.00945; 2 vCPU × $0.0895 + 8 GB × $0.00945
    expect(least).toBeCloseTo(0.00118125, 10);
    expect(most).toBeCloseTo(0.2546, 10);
  });

  it('is memory alone while it is idle', () => {
    const { least, most } = estimateIdleCost(15 * MINUTE);
    expect(least).toBeCloseTo(0.0002953125, 10);
    expect(most).toBeCloseTo(0.0189, 10);
  });

  it('is charged per started second', () => {
    expect(estimateCost(1)).toEqual(estimateCost(SECOND));
    expect(estimateCost(SECOND + 1)).toEqual(estimateCost(2 * SECOND));
    expect(estimateCost(3600 * SECOND).most / estimateCost(SECOND).most).toBeCloseTo(3600, 6);
  });

  it('is zero for no time, or for a time before its start', () => {
    expect(estimateCost(0)).toEqual({ least: 0, most: 0 });
    expect(estimateCost(-5 * SECOND)).toEqual({ least: 0, most: 0 });
  });

  it('can be summed', () => {
    const cost = { least: 0.25, most: 1 };
    expect(sumCosts([cost, cost])).toEqual({ least: 0.5, most: 2 });
    expect(sumCosts([])).toEqual({ least: 0, most: 0 });
  });

  it.each([
    [{ least: 0.0003, most: 0.2146 }, '$0.0003 – $0.21'],
    [{ least: 0.00001, most: 0.0123 }, '<$0.0001 – $0.012'],
    [{ least: 1.005, most: 12.5 }, '$1.00 – $12.50'],
    [{ least: 0, most: 0 }, '$0'],
  ])('is formatted for people: %o is %s', (cost, text) => {
    expect(formatCost(cost)).toBe(text);
  });
});
