import type { Partition } from '../arn.ts';

/** The partition that a region belongs to, as far as AgentCore's ARNs go. */
export function partitionOf(region: string): Partition {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
