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

/** A range of costs in US$, because only AWS measures the CPU and memory of a session. */
export interface CostRange {
  readonly least: number;
  readonly most: number;
}

/** A cost of zero. */
export const NO_COST: CostRange = { least: 0, most: 0 };

/**
 * Estimates the cost of a session that has run for this many milliseconds. `least`: no CPU and the
 * minimum memory. `most`: all CPU and memory for the whole time.
 */
export function estimateCost(milliseconds: number): CostRange {
  const { perVcpuHour, mostVcpus } = RUNTIME_PRICES;
  const { least, most } = estimateIdleCost(milliseconds);
  return { least, most: most + toBilledHours(milliseconds) * mostVcpus * perVcpuHour };
}

/**
 * Estimates the cost of an idle session for this many milliseconds: from the minimum to the maximum
 * memory. Idle sessions use no CPU, and CPU is charged by use.
 */
export function estimateIdleCost(milliseconds: number): CostRange {
  const { perGigabyteHour, leastGigabytes, mostGigabytes } = RUNTIME_PRICES;
  const perGigabyte = toBilledHours(milliseconds) * perGigabyteHour;
  return { least: perGigabyte * leastGigabytes, most: perGigabyte * mostGigabytes };
}

/** Adds the ranges. */
export function sumCosts(costs: readonly CostRange[]): CostRange {
  return costs.reduce(
    (sum, { least, most }) => ({ least: sum.least + least, most: sum.most + most }),
    NO_COST,
  );
}

/** Formats a range for people, such as `$0.0003 – $0.21`. Equal ends are shown once. */
export function formatCost({ least, most }: CostRange): string {
  const [from, to] = [formatMoney(least), formatMoney(most)];
  return from === to ? from : `${from} – ${to}`;
}

/** Cents from $0.10, a third decimal from $0.01, and a fourth below. */
function formatMoney(dollars: number): string {
  if (dollars === 0) return '$0';
  if (dollars < 0.0001) return '<$0.0001';
  const decimals = dollars >= 0.1 ? 2 : dollars >= 0.01 ? 3 : 4;
  return `$${dollars.toFixed(decimals)}`;
}

/** Hours to bill. AWS bills by the second and rounds up. */
function toBilledHours(milliseconds: number): number {
  return Math.ceil(Math.max(0, milliseconds) / 1000) / 3600;
}
