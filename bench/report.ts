import { cpus, release } from 'node:os';
import type { Verdict } from './bars.ts';
import { type FigureId, figures, type Pairs, summarize } from './figures.ts';
import { memoryMethod } from './memory.ts';

/** Everything that was measured of one proxy. */
export interface Result {
  readonly name: string;
  readonly command: string;
  readonly pairs: Pairs;
  /** Why it was given up, if it was. */
  readonly failure: string | undefined;
}

const figureIds = Object.keys(figures) as FigureId[];

/** A document for scripts: figures by name, our bars, and what machine it was. */
export function jsonReport(
  results: readonly Result[],
  verdicts: readonly Verdict[],
  rounds: number,
): string {
  const document = {
    machine: machine(),
    rounds,
    memory: memoryMethod(),
    proxies: results.map(({ name, command, pairs, failure }) => ({
      name,
      command,
      failure,
      figures: Object.fromEntries(
        figureIds.flatMap((id) => {
          const summary = summarize(id, pairs[id] ?? []);
          return summary ? [[id, { unit: figures[id].unit, ...summary }]] : [];
        }),
      ),
    })),
    bars: verdicts,
  };
  return JSON.stringify(document, null, 2);
}

export function textReport(
  results: readonly Result[],
  verdicts: readonly Verdict[],
  rounds: number,
): string {
  const { node, system, processors } = machine();
  const failures = results.flatMap(({ name, failure }) =>
    failure === undefined ? [] : [`${name} was given up: ${failure}`],
  );
  return [
    `Node ${node}, ${system}, ${processors}; ${rounds} rounds. Memory: ${memoryMethod()}.`,
    ...results.map(({ name, command }) => `${name}: ${command}`),
    '',
    ...align([['', 'relay', ...results.flatMap(({ name }) => [name, 'ratio'])], ...rows(results)]),
    '* compared with `node -e 0` from spawn to exit; everything else with the reference relay.',
    '** compared with the same proxy without a policy.',
    ...(failures.length > 0 ? ['', ...failures] : []),
    '',
    ...align(verdicts.map(verdictCells)),
  ].join('\n');
}

function rows(results: readonly Result[]): string[][] {
  return figureIds.map((id) => {
    const { label, unit } = figures[id];
    const everyPair = results.flatMap(({ pairs }) => pairs[id] ?? []);
    const cells = results.flatMap(({ pairs }) => {
      const summary = summarize(id, pairs[id] ?? []);
      const ratio = summary?.ratio;
      return [formatted(summary?.value), ratio === undefined ? '' : `${formatted(ratio)} x`];
    });
    return [
      unit === 'events' ? label : `${label}, ${unit}`,
      formatted(summarize(id, everyPair)?.baseline),
      ...cells,
    ];
  });
}

function verdictCells({ label, atMost, measured, verdict }: Verdict): string[] {
  return [`${verdict.padEnd(7)} ${label}`, formatted(measured), `at most ${atMost}`];
}

/** The first column to the left, the others to the right. */
function align(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  );
  return table.map((cells) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function formatted(value: number | undefined): string {
  if (value === undefined) return '-';
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

function machine(): { node: string; system: string; processors: string } {
  const all = cpus();
  return {
    node: process.versions.node,
    system: `${process.platform} ${release()} ${process.arch}`,
    processors: `${all.length} x ${all[0]?.model.trim() ?? 'unknown'}`,
  };
}
