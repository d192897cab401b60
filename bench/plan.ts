import type { FigureId } from './figures.ts';
import { note } from './governed.ts';
import { percentile } from './statistics.ts';
import type { Workload } from './workloads.ts';

export interface Plan {
  readonly rounds: number;
  /** Timed starts in a round, for each kind of start. */
  readonly starts: number;
  /** Number of microVMs of the local runtime that a round may use. */
  readonly microVms: number;
  readonly comparisons: readonly Comparison[];
}

/** The reference relay, the proxy, or the proxy with a policy. */
export type Contestant = 'relay' | 'proxy' | 'governed';

/** Steps of two new processes. */
export interface Comparison {
  readonly baseline: Contestant;
  readonly measured: Contestant;
  readonly steps: readonly (Measurement | MemoryStep)[];
}

/** Records the peak memory until this step. */
interface MemoryStep {
  readonly memory: FigureId;
}

export interface Measurement {
  readonly workload: Workload;
  /** The number of times that each of the two runs it. */
  readonly turns: number;
  readonly figures: (samples: readonly number[]) => Partial<Record<FigureId, number>>;
  /** True if the first round is enough. */
  readonly once?: boolean;
}

export function planOf({ quick }: { readonly quick: boolean }): Plan {
  const events = quick ? 30 : 60;
  // V8 compiles for thousands of calls, and a proxy lives much longer.
  const warmUp = quick ? 1500 : 3000;
  const starts = quick ? 2 : 4;
  const comparisons: readonly Comparison[] = [
    {
      baseline: 'relay',
      measured: 'proxy',
      // The order matters: idle traffic comes before any load.
      steps: [
        { workload: { kind: 'calls', count: 20, gapMs: 25 }, turns: 1, figures: nothing },
        { memory: 'idleMemory' },
        { workload: { kind: 'calls', count: warmUp, gapMs: 0 }, turns: 1, figures: nothing },
        {
          workload: { kind: 'calls', count: 50, gapMs: 0 },
          turns: quick ? 6 : 12,
          figures: (samples) => ({
            callP50: percentile(samples, 0.5),
            callP95: percentile(samples, 0.95),
            callP99: percentile(samples, 0.99),
          }),
        },
        {
          workload: { kind: 'pool', count: quick ? 4_000 : 20_000, atOnce: 8 },
          turns: 1,
          figures: nothing,
          once: true,
        },
        { memory: 'loadMemory' },
        { workload: { kind: 'together', count: 32, ms: 100 }, turns: 1, figures: only('together') },
        {
          workload: { kind: 'together', count: 32, ms: 100 },
          turns: 1,
          figures: only('togetherAgain'),
        },
        { workload: { kind: 'burst', count: 1000 }, turns: 1, figures: only('burst') },
        {
          workload: { kind: 'stream', events, everyMs: 10 },
          turns: 1,
          figures: (samples) => ({
            ...(samples.length > 0 && {
              lagP50: percentile(samples, 0.5),
              lagP95: percentile(samples, 0.95),
            }),
            lost: events - samples.length,
          }),
        },
      ],
    },
    {
      baseline: 'proxy',
      measured: 'governed',
      steps: [
        {
          workload: { kind: 'calls', count: warmUp, gapMs: 0, text: note },
          turns: 2,
          figures: nothing,
        },
        {
          workload: { kind: 'calls', count: 50, gapMs: 0, text: note },
          turns: quick ? 12 : 24,
          figures: (samples) => ({ governedP50: percentile(samples, 0.5) }),
        },
      ],
    },
    {
      baseline: 'relay',
      measured: 'proxy',
      steps: [
        { workload: { kind: 'large', bytes: 20_000_000 }, turns: 1, figures: only('large') },
        { memory: 'largeMemory' },
      ],
    },
  ];
  return {
    rounds: quick ? 2 : 5,
    starts,
    // Two for each start, because some proxies open a session to look around first.
    microVms: 2 * (2 * starts + 2 * comparisons.length),
    comparisons,
  };
}

function nothing(): Partial<Record<FigureId, number>> {
  return {};
}

function only(figure: FigureId): (samples: readonly number[]) => Partial<Record<FigureId, number>> {
  return ([sample]) => (sample === undefined ? {} : { [figure]: sample });
}
