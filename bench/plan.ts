import type { FigureId } from './figures.ts';
import { note } from './governed.ts';
import { percentile } from './statistics.ts';
import type { Workload } from './workloads.ts';

export interface Plan {
  readonly rounds: number;
  /** Starts per round; what the last one started does the rest. */
  readonly starts: number;
  /** How many microVMs of the local runtime a round may use. */
  readonly microVms: number;
  readonly steps: readonly Step[];
}

/**
 * A workload and what its samples say; or the same for one more of the proxy that keeps a policy,
 * beside one more that keeps none; or a look at the peak memory up to there.
 */
type Step =
  | Measurement
  | { readonly governed: readonly Measurement[] }
  | { readonly memory: FigureId };

export interface Measurement {
  readonly workload: Workload;
  /** How often the two that are compared take turns with it. */
  readonly turns: number;
  readonly figures: (samples: readonly number[]) => Partial<Record<FigureId, number>>;
}

/** The order matters: idle traffic before any load, the 20 MB last. */
export function planOf({ quick }: { readonly quick: boolean }): Plan {
  const events = quick ? 30 : 60;
  // V8 goes on compiling for thousands of calls; a proxy lives long enough to see the end of that.
  const warmUp = quick ? 1500 : 3000;
  const starts = quick ? 2 : 4;
  return {
    rounds: quick ? 2 : 5,
    starts,
    // One for the baseline, and two a start: some proxies open a session to look around first. And
    // so for the one with a policy and the one beside it.
    microVms: 1 + 2 * (starts + 2),
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
        governed: [
          // Twice: the plain one of the steps before is as warm when it is measured beside the bare.
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
      { workload: { kind: 'large', bytes: 20_000_000 }, turns: 1, figures: only('large') },
      { memory: 'fullMemory' },
    ],
  };
}

function nothing(): Partial<Record<FigureId, number>> {
  return {};
}

function only(figure: FigureId): (samples: readonly number[]) => Partial<Record<FigureId, number>> {
  return ([sample]) => (sample === undefined ? {} : { [figure]: sample });
}
