import { AgentCoreError } from '../error.ts';
import type { Partition } from './arn.ts';

/** Endpoint settings of a service, apart from its region. */
export interface EndpointOptions {
  readonly fips: boolean;
  readonly dualStack: boolean;
  /** A URL that replaces the default endpoint (`AWS_ENDPOINT_URL` and related settings). */
  readonly override: string | undefined;
}

/** DNS suffixes by partition (source: `partitions.json` of the AWS SDKs). */
const SUFFIXES: Readonly<Record<Partition, { plain: string; dualStack: string }>> = {
  aws: { plain: 'amazonaws.com', dualStack: 'api.aws' },
  'aws-cn': { plain: 'amazonaws.com.cn', dualStack: 'api.amazonwebservices.com.cn' },
  'aws-us-gov': { plain: 'amazonaws.com', dualStack: 'api.aws' },
};

/**
 * The base URL of AgentCore's data plane. It follows the SDK's endpoint rule set, whose loading
 * would take a fifth of the proxy's startup time. A test compares the two.
 *
 * @throws {AgentCoreError} `usage` if the override is not an HTTP URL or conflicts with other
 * options.
 */
export function getDataPlaneUrl(
  { partition, region }: { partition: Partition; region: string },
  { fips, dualStack, override }: EndpointOptions,
): URL {
  if (override !== undefined) {
    if (fips || dualStack) {
      throw new AgentCoreError(
        'usage',
        `A custom endpoint (${override}) cannot be a FIPS or dual-stack one: unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, or the endpoint`,
      );
    }
    return parseHttpUrl(override);
  }
  const suffix = SUFFIXES[partition][dualStack ? 'dualStack' : 'plain'];
  return new URL(`https://bedrock-agentcore${fips ? '-fips' : ''}.${region}.${suffix}`);
}

function parseHttpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new AgentCoreError(
      'usage',
      `The endpoint is not an http or https URL: ${text.replace(/\/\/[^/@]*@/, '//')}`,
    );
  }
  return url;
}
