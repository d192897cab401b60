/**
 * Prices of AgentCore Runtime in US$, charged per second from the boot of a microVM through idle
 * time until it ends. CPU is charged by use, memory by peak. Prices change: the pricing page is
 * authoritative.
 */
export const RUNTIME_PRICES = {
  perVcpuHour: 0.0895,
  perGigabyteHour: 0.00945,
  /** Minimum charge: 128 MB. */
  leastGigabytes: 0.125,
  /** Maximum resources of a session. */
  mostVcpus: 2,
  mostGigabytes: 8,
  source: 'https://aws.amazon.com/bedrock/agentcore/pricing/',
  /** The day on which these prices were read from AWS's agent toolkit. */
  date: '2026-11-21',
} as const;

/** US$ between which a cost lies: nobody but AWS knows what a session really used. */
export interface CostRange {
  readonly least: number;
  readonly most: number;
}

export const NO_COST: CostRange = { least: 0, most: 0 };

/**
 * What a session has cost after so many milliseconds: from one that used no CPU and the least memory
 * that is charged, to one that used all its CPU and memory all the time.
 */
export function estimateCost(milliseconds: number): CostRange {
  const { perVcpuHour, mostVcpus } = RUNTIME_PRICES;
  const { least, most } = estimateIdleCost(milliseconds);
  return { least, most: most + toBilledHours(milliseconds) * mostVcpus * perVcpuHour };
}

/**
 * What a session costs that stays idle for so many milliseconds: memory alone, from the least that is
 * charged to all that it can have, since CPU is charged only as far as it is used.
 */
export function estimateIdleCost(milliseconds: number): CostRange {
  const { perGigabyteHour, leastGigabytes, mostGigabytes } = RUNTIME_PRICES;
  const perGigabyte = toBilledHours(milliseconds) * perGigabyteHour;
  return { least: perGigabyte * leastGigabytes, most: perGigabyte * mostGigabytes };
}

export function sumCosts(costs: readonly CostRange[]): CostRange {
  return costs.reduce(
    (sum, { least, most }) => ({ least: sum.least + least, most: sum.most + most }),
    NO_COST,
  );
}

/** A range for people, such as `$0.0003 – $0.21`. */
export function formatCost({ least, most }: CostRange): string {
  const [from, to] = [formatMoney(least), formatMoney(most)];
  return from === to ? from : `${from} – ${to}`;
}

/** Cents, and below ten of them as much as it takes for two digits that say something. */
function formatMoney(dollars: number): string {
  if (dollars === 0) return '$0';
  if (dollars < 0.0001) return '<$0.0001';
  const decimals = dollars >= 0.1 ? 2 : dollars >= 0.01 ? 3 : 4;
  return `$${dollars.toFixed(decimals)}`;
}

/** Billed by the second, and a second that has begun is one. */
function toBilledHours(milliseconds: number): number {
  return Math.ceil(Math.max(0, milliseconds) / 1000) / 3600;
}
