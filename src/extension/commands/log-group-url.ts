import { parseRuntimeArn } from '../../aws/arn.ts';
import { parseGatewayArn } from '../../aws/iam/gateway-arn.ts';

const DEFAULT_ENDPOINT = 'DEFAULT';

/**
 * Where AgentCore writes the log of a runtime's endpoint, or of a gateway (source: AgentCore's
 * developer guide, "Observability"; a gateway's group is the one that its console proposes).
 *
 * @param qualifier The endpoint, where the ARN names none.
 * @throws {AgentCoreError} `usage` for an ARN that is neither.
 */
export function logGroupOf(arn: string, qualifier?: string): string {
  if (arn.includes(':gateway/')) {
    const { gatewayId } = parseGatewayArn(arn);
    return `/aws/vendedlogs/bedrock-agentcore/gateway/APPLICATION_LOGS/${gatewayId}`;
  }
  const { runtimeId, endpoint } = parseRuntimeArn(arn);
  return `/aws/bedrock-agentcore/runtimes/${runtimeId}-${qualifier ?? endpoint ?? DEFAULT_ENDPOINT}`;
}

/** The page of the AWS console that shows this log. Throws as {@link logGroupOf} does. */
export function logGroupUrl(arn: string, qualifier?: string): string {
  const [, partition, , region = ''] = arn.split(':');
  const host = {
    'aws-cn': 'console.amazonaws.cn',
    'aws-us-gov': 'console.amazonaws-us-gov.com',
  }[partition as string];
  // The console decodes twice, and takes `$` for `%` in its fragment.
  const group = encodeURIComponent(encodeURIComponent(logGroupOf(arn, qualifier))).replaceAll(
    '%',
    '$',
  );
  return `https://${host ?? `${region}.console.aws.amazon.com`}/cloudwatch/home?region=${region}#logsV2:log-groups/log-group/${group}`;
}
