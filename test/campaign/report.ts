import type { Account, Figures } from './account.ts';

const MOST_OFFENCES = 20;

/** A description of the offences, with the command that runs the same plan again. */
export function offenceReport({ seed, folder, offences, stories }: Account): string {
  const lines = offences
    .slice(0, MOST_OFFENCES)
    .map(({ rule, words, key }) => `- ${rule}: ${words}${key ? ` (call ${key})` : ''}`);
  const more = offences.length - lines.length;
  return [
    `Seed ${seed}: ${offences.length} offences (again: CAMPAIGN_SEED=${seed}; files: ${folder})`,
    ...lines,
    ...(more > 0 ? [`- and ${more} more`] : []),
    ...stories,
  ].join('\n');
}

/** One count per line, with aligned names. */
export function figureLines(figures: Figures): string {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  return Object.entries(figures)
    .map(([name, count]) => `  ${name.padEnd(width)}  ${count}`)
    .join('\n');
}

/** The sums of several accounts, and the number of applied faults by kind. */
export function totalOf(accounts: readonly Pick<Account, 'figures' | 'faults'>[]): {
  readonly figures: Figures;
  readonly faults: Figures;
} {
  return {
    figures: sums(accounts.map(({ figures }) => Object.entries(figures))),
    faults: sums(accounts.map(({ faults }) => [...faults])),
  };
}

function sums(all: readonly (readonly (readonly [string, number])[])[]): Figures {
  const total: Record<string, number> = {};
  for (const [name, count] of all.flat()) total[name] = (total[name] ?? 0) + count;
  return total;
}
