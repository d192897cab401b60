import { AgentCoreError } from '../../error.ts';
import { decodeArn, type Partition } from '../arn.ts';

/** The parts of an AgentCore Gateway ARN. */
export interface GatewayArn {
  readonly arn: string;
  readonly partition: Partition;
  readonly region: string;
  /** Twelve digits. */
  readonly account: string;
  readonly gatewayId: string;
}

/** Source: `GatewayArn` in the model of `@aws-sdk/client-bedrock-agentcore-control`. */
const GATEWAY_ARN =
  /^arn:(aws|aws-cn|aws-us-gov):bedrock-agentcore:([a-z]{2}(?:-[a-z]+)+-\d{1,2}):(\d{12}):gateway\/([0-9a-z](?:[0-9a-z-]{0,108}[0-9a-z])?)$/i;

const GATEWAY_ARN_SHAPE = 'arn:aws:bedrock-agentcore:REGION:ACCOUNT:gateway/GATEWAY_ID';

/** Whether the text is an ARN of a gateway and not of a runtime. */
export function isGatewayArn(text: string): boolean {
  return /^arn:[\w-]+:bedrock-agentcore:[^:]*:[^:]*:gateway\//i.test(decodeArn(text));
}

/** @throws {AgentCoreError} `usage` */
export function parseGatewayArn(text: string): GatewayArn {
  const arn = decodeArn(text);
  const match = GATEWAY_ARN.exec(arn);
  if (!match) {
    throw new AgentCoreError(
      'usage',
      `Not the ARN of an AgentCore gateway, expected ${GATEWAY_ARN_SHAPE}: ${arn}`,
    );
  }
  const [, partition, region, account, gatewayId] = match;
  return {
    arn,
    partition: partition as Partition,
    region: region as string,
    account: account as string,
    gatewayId: gatewayId as string,
  };
}
