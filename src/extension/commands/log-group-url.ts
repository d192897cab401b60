import { parseGatewayArn, parseRuntimeArn } from '../../aws/arn.ts';

const DEFAULT_ENDPOINT = 'DEFAULT';

/**
 * The CloudWatch log group of a runtime endpoint or a gateway. Sources: AgentCore Developer Guide,
 * "Observability", for runtimes; the default name in the console for gateways.
 *
 * @param qualifier The endpoint, if the ARN contains none.
 * @throws {AgentCoreError} `usage` if the ARN is neither a runtime nor a gateway.
 */
export function getLogGroupName(arn: string, qualifier?: string): string {
  if (arn.includes(':gateway/')) {
    const { gatewayId } = parseGatewayArn(arn);
    return `/aws/vendedlogs/bedrock-agentcore/gateway/APPLICATION_LOGS/${gatewayId}`;
  }
  const { runtimeId, endpoint } = parseRuntimeArn(arn);
  return `/aws/bedrock-agentcore/runtimes/${runtimeId}-${qualifier ?? endpoint ?? DEFAULT_ENDPOINT}`;
}

/** URL of the log group in the AWS console. Throws like {@link getLogGroupName}. */
export function getLogGroupUrl(arn: string, qualifier?: string): string {
  const [, partition, , region = ''] = arn.split(':');
  const host = {
    'aws-cn': 'console.amazonaws.cn',
    'aws-us-gov': 'console.amazonaws-us-gov.com',
  }[partition as string];
  // The console decodes its fragment twice and uses `$` instead of `%`.
  const group = encodeURIComponent(encodeURIComponent(getLogGroupName(arn, qualifier))).replaceAll(
    '%',
    '$',
  );
  return `https://${host ?? `${region}.console.aws.amazon.com`}/cloudwatch/home?region=${region}#logsV2:log-groups/log-group/${group}`;
}
