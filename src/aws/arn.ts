import { AgentCoreError } from '../error.ts';

/** An AgentCore Runtime ARN, taken apart. */
export interface RuntimeArn {
  readonly arn: string;
  readonly partition: Partition;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  /** The runtime's id: its name, a dash, and ten characters. */
  readonly runtimeId: string;
  /** The endpoint's name where the ARN is that of an endpoint; it is the qualifier to invoke. */
  readonly endpoint: string | undefined;
}

/** The partitions that AgentCore's ARNs may name (source: `@aws-sdk/client-bedrock-agentcore`). */
export type Partition = 'aws' | 'aws-cn' | 'aws-us-gov';

const RUNTIME_ARN =
  /^arn:(aws|aws-cn|aws-us-gov):bedrock-agentcore:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):runtime\/([a-zA-Z][a-zA-Z0-9_-]{0,99})(?:\/runtime-endpoint\/([a-zA-Z][a-zA-Z0-9_]{0,47}))?$/;

/** The shape of a runtime's ARN, for sentences that have to say what was expected. */
const RUNTIME_ARN_SHAPE = 'arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/RUNTIME_ID';

/**
 * Reads the ARN of a runtime or of one of its endpoints.
 *
 * @throws {AgentCoreError} `usage`, with the part that is wrong where one can be named.
 */
export function parseRuntimeArn(text: string): RuntimeArn {
  const arn = text.trim();
  const match = RUNTIME_ARN.exec(arn);
  if (!match) {
    throw new AgentCoreError(
      'usage',
      `Not the ARN of an AgentCore runtime (${faultOf(arn)}), expected ${RUNTIME_ARN_SHAPE}: ${arn}`,
    );
  }
  const [, partition, region, account, runtimeId, endpoint] = match;
  return {
    // An endpoint's ARN is invoked as its runtime's, with the endpoint as the qualifier.
    arn: endpoint ? arn.slice(0, arn.indexOf('/runtime-endpoint/')) : arn,
    partition: partition as Partition,
    region: region as string,
    account: account as string,
    runtimeId: runtimeId as string,
    endpoint,
  };
}

function faultOf(arn: string): string {
  const [prefix, partition, service, region, account, ...resource] = arn.split(':');
  if (prefix !== 'arn') return 'it does not begin with "arn:"';
  if (!/^aws(-cn|-us-gov)?$/.test(partition ?? '')) return `unknown partition "${partition ?? ''}"`;
  if (service !== 'bedrock-agentcore') return `its service is "${service ?? ''}"`;
  if (!/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/.test(region ?? '')) return `no region in "${region ?? ''}"`;
  if (!/^\d{12}$/.test(account ?? '')) return `the account is not twelve digits`;
  if (!resource.join(':').startsWith('runtime/')) return 'its resource is not "runtime/…"';
  return 'the runtime id or endpoint name has characters that none can have';
}
