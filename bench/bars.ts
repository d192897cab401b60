import { type FigureId, type Pairs, summarize } from './figures.ts';

interface Bar {
  readonly label: string;
  readonly figure: FigureId;
  readonly of: 'value' | 'ratio' | 'difference';
  readonly atMost: number;
}

/** What our proxy has to hold on any machine. */
const bars: readonly Bar[] = [
  { label: 'p50 of a call, in bare calls', figure: 'callP50', of: 'ratio', atMost: 1.6 },
  {
    label: 'p50 added by policy, redaction and audit, ms',
    figure: 'governedP50',
    of: 'difference',
    atMost: 0.3,
  },
  { label: '32 calls of 100 ms at once, ms', figure: 'together', of: 'value', atMost: 130 },
  { label: 'start, in starts of node -e 0', figure: 'start', of: 'ratio', atMost: 4 },
  { label: 'streamed events late (p95), ms', figure: 'lagP95', of: 'value', atMost: 2 },
  { label: 'streamed events lost', figure: 'lost', of: 'value', atMost: 0 },
  { label: 'peak memory, idle traffic, MB', figure: 'idleMemory', of: 'value', atMost: 75 },
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
      const unmeasurable = figure === 'idleMemory' && !failed;
      return { label, atMost, measured, verdict: unmeasurable ? 'unknown' : 'missed' };
    }
    return { label, atMost, measured, verdict: measured <= atMost ? 'held' : 'missed' };
  });
}
