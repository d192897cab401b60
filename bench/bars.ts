import { type FigureId, type Pairs, summarize } from './figures.ts';

interface Bar {
  readonly label: string;
  readonly figure: FigureId;
  readonly of: 'value' | 'ratio' | 'difference';
  readonly atMost: number;
}

/** What our proxy has to hold on any machine. */
const bars: readonly Bar[] = [
  { label: 'p50 of a call, in calls of the relay', figure: 'callP50', of: 'ratio', atMost: 1.12 },
  {
    label: 'p50 added by policy, redaction and audit, ms',
    figure: 'governedP50',
    of: 'difference',
    atMost: 0.3,
  },
  {
    label: '1000 calls at once, in the time of the relay',
    figure: 'burst',
    of: 'ratio',
    atMost: 1,
  },
  { label: 'start, in starts of node -e 0', figure: 'start', of: 'ratio', atMost: 2 },
  { label: '  the same with a policy', figure: 'governedStart', of: 'ratio', atMost: 2.6 },
  { label: 'streamed events late (p95), ms', figure: 'lagP95', of: 'value', atMost: 2 },
  { label: 'streamed events lost', figure: 'lost', of: 'value', atMost: 0 },
  { label: 'peak memory, idle traffic, MB', figure: 'idleMemory', of: 'value', atMost: 65 },
  { label: 'peak memory, 20000 calls, MB', figure: 'loadMemory', of: 'value', atMost: 110 },
  {
    label: 'peak memory, a result of 20 MB, MB',
    figure: 'largeMemory',
    of: 'value',
    atMost: 150,
  },
];

export interface Verdict {
  readonly label: string;
  readonly atMost: number;
  /** Undefined if it was not measured. */
  readonly measured: number | undefined;
  /** `unknown` where this system cannot measure it; a figure that failed is missed. */
  readonly verdict: 'held' | 'missed' | 'unknown';
}

export function judge(pairs: Pairs, failed: boolean): readonly Verdict[] {
  return bars.map(({ label, figure, of, atMost }) => {
    const measured = summarize(figure, pairs[figure] ?? [])?.[of];
    if (measured === undefined) {
      const unmeasurable = figure.endsWith('Memory') && !failed;
      return { label, atMost, measured, verdict: unmeasurable ? 'unknown' : 'missed' };
    }
    return { label, atMost, measured, verdict: measured <= atMost ? 'held' : 'missed' };
  });
}
