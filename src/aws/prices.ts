/**
 * What AgentCore Runtime costs in US$, by the second, from a microVM's boot through idle until it
 * ends: CPU as far as it is used, memory by its peak. Prices change: the page has the last word.
 */
export const RUNTIME_PRICES = {
  perVcpuHour: 0.0895,
  perGigabyteHour: 0.00945,
  /** 128 MB are charged at least. */
  leastGigabytes: 0.125,
  /** What a session can use at most. */
  mostVcpus: 2,
  mostGigabytes: 8,
  source: 'https://aws.amazon.com/bedrock/agentcore/pricing/',
  /** As AWS's agent toolkit published them, read on this day. */
  date: '2026-11-21',
} as const;
