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
