/** The positions of each switch, by its name. */
type Positions = Readonly<Record<string, readonly unknown[]>>;

export type Combination<P extends Positions> = { readonly [K in keyof P]: P[K][number] };

/** Candidates for each row. More candidates result in fewer rows. */
const GUESSES = 100;

/**
 * Few combinations in which each two positions of any two switches occur together at least once,
 * unless no valid combination has both. The result is always the same.
 *
 * @param canBe False for an invalid combination.
 */
export function pairwise<P extends Positions>(
  positions: P,
  canBe: (combination: Combination<P>) => boolean,
): Combination<P>[] {
  const chance = pseudoRandom(1);
  const names = Object.keys(positions);
  const missing = new Set<string>();
  for (const [index, one] of names.entries()) {
    for (const other of names.slice(index + 1)) {
      for (const a of positions[one] ?? []) {
        for (const b of positions[other] ?? []) missing.add(pairKey(one, a, other, b));
      }
    }
  }
  const rows: Combination<P>[] = [];
  for (const pair of [...missing]) {
    if (!missing.has(pair)) continue;
    let best: { readonly row: Combination<P>; readonly covers: string[] } | undefined;
    for (let guess = 0; guess < GUESSES; guess++) {
      const row = Object.fromEntries(
        names.map((name) => {
          const all = positions[name] ?? [];
          return [name, all[Math.floor(chance() * all.length)]];
        }),
      );
      const [one, a, other, b] = JSON.parse(pair);
      Object.assign(row, { [one]: a, [other]: b });
      if (!canBe(row as Combination<P>)) continue;
      const covers = pairsOf(row).filter((covered) => missing.has(covered));
      if (!best || covers.length > best.covers.length)
        best = { row: row as Combination<P>, covers };
    }
    // If no candidate contains the pair, the constraint excludes it.
    missing.delete(pair);
    if (!best) continue;
    for (const covered of best.covers) missing.delete(covered);
    rows.push(best.row);
  }
  return rows;
}

function pairsOf(row: Record<string, unknown>): string[] {
  const entries = Object.entries(row);
  return entries.flatMap(([one, a], index) =>
    entries.slice(index + 1).map(([other, b]) => pairKey(one, a, other, b)),
  );
}

function pairKey(one: string, a: unknown, other: string, b: unknown): string {
  return JSON.stringify([one, a, other, b]);
}

/** Numerical Recipes' linear congruential generator. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
