import { median } from './statistics.ts';

/** One figure of one round: of the proxy, and of the baseline measured right beside it. */
export interface Pair {
  readonly baseline: number | undefined;
  readonly measured: number;
}

interface Figure {
  readonly label: string;
  readonly unit: 'ms' | 'MB' | 'events';
  /** What the rounds are folded into: a peak is the highest, everything else the median. */
  readonly fold: 'median' | 'highest';
}

export const figures = {
  start: { label: 'start to initialize answered *', unit: 'ms', fold: 'median' },
  governedStart: { label: '  the same with a policy *', unit: 'ms', fold: 'median' },
  callP50: { label: 'one call, p50', unit: 'ms', fold: 'median' },
  callP95: { label: 'one call, p95', unit: 'ms', fold: 'median' },
  callP99: { label: 'one call, p99', unit: 'ms', fold: 'median' },
  governedP50: { label: 'one call, p50, policy and redaction **', unit: 'ms', fold: 'median' },
  together: { label: '32 calls of 100 ms at once', unit: 'ms', fold: 'median' },
  togetherAgain: { label: '  again, connections open', unit: 'ms', fold: 'median' },
  burst: { label: '1000 calls as a burst', unit: 'ms', fold: 'median' },
  lagP50: { label: 'lag of a streamed event, p50', unit: 'ms', fold: 'median' },
  lagP95: { label: 'lag of a streamed event, p95', unit: 'ms', fold: 'median' },
  lost: { label: 'streamed events lost', unit: 'events', fold: 'highest' },
  large: { label: 'a result of 20 MB', unit: 'ms', fold: 'median' },
  idleMemory: { label: 'peak memory, idle traffic', unit: 'MB', fold: 'highest' },
  loadMemory: { label: 'peak memory, 20000 calls', unit: 'MB', fold: 'highest' },
  largeMemory: { label: 'peak memory, a result of 20 MB', unit: 'MB', fold: 'highest' },
} as const satisfies Record<string, Figure>;

export type FigureId = keyof typeof figures;

export type Pairs = Partial<Record<FigureId, readonly Pair[]>>;

/** The rounds of one figure in one line. */
interface Summary {
  readonly value: number;
  readonly baseline: number | undefined;
  /** The median of the rounds' own ratios, which a machine that drifts does not shift. */
  readonly ratio: number | undefined;
  readonly ratios: readonly number[];
  /** The median of the rounds' own differences, what was measured beside it taken away. */
  readonly difference: number | undefined;
}

export function summarize(id: FigureId, pairs: readonly Pair[]): Summary | undefined {
  if (pairs.length === 0) return undefined;
  const fold = figures[id].fold === 'highest' ? highest : median;
  const baselines = pairs.flatMap(({ baseline }) => (baseline === undefined ? [] : [baseline]));
  const ratios = pairs.flatMap(({ baseline, measured }) => (baseline ? [measured / baseline] : []));
  const differences = pairs.flatMap(({ baseline, measured }) =>
    baseline === undefined ? [] : [measured - baseline],
  );
  return {
    value: fold(pairs.map(({ measured }) => measured)),
    baseline: baselines.length > 0 ? fold(baselines) : undefined,
    ratio: ratios.length > 0 ? median(ratios) : undefined,
    ratios,
    difference: differences.length > 0 ? median(differences) : undefined,
  };
}

function highest(values: readonly number[]): number {
  return Math.max(...values);
}
