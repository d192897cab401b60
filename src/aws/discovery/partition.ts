import type { Partition } from '../arn.ts';

/** The partition of a region in AgentCore ARNs. */
export function getPartition(region: string): Partition {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
