import { AgentCoreError } from '../error.ts';
import { isInvocationsUrl, type Partition, parseRuntimeArn } from './arn.ts';
import type { EndpointOptions } from './endpoints.ts';
import { isGatewayArn, parseGatewayArn } from './iam/gateway-arn.ts';
import { isSecureUrl } from './private-url.ts';

/** A gateway, identified by its ARN or its MCP URL. */
export type GatewayAddress =
  | {
      /** The given ARN or the AWS URL, for messages. */
      readonly name: string;
      readonly region: string;
      readonly partition: Partition;
      readonly gatewayId: string;
      readonly url: undefined;
    }
  | {
      readonly name: string;
      /** Absent, because the host is not an AWS gateway host. */
      readonly region: undefined;
      readonly url: URL;
    };

const GATEWAY_HOST =
  /^([0-9a-z-]{1,120})\.gateway\.bedrock-agentcore\.([a-z]{2}(?:-[a-z]+)+-\d{1,2})\.amazonaws\.com$/;

/** Whether the text may be a gateway's address and cannot be a runtime's. */
export function isGatewayAddress(text: string): boolean {
  if (isGatewayArn(text)) return true;
  return /^\s*https?:\/\//i.test(text) && !isInvocationsUrl(text);
}

/**
 * The name by which policies know the server at an address: the ARN of a runtime or gateway, or the
 * URL of a gateway. Any other text is returned as it is, such as a runtime's id.
 *
 * @throws {AgentCoreError} `usage` if it is an ARN or a URL, but not that of a server.
 */
export function getServerName(address: string): string {
  if (isGatewayAddress(address)) return parseGatewayAddress(address).name;
  return /^\s*(arn[:%]|https?:)/i.test(address) ? parseRuntimeArn(address).arn : address;
}

/**
 * Parses a gateway's ARN, its URL or the URL of a custom domain.
 *
 * @throws {AgentCoreError} `usage`
 */
export function parseGatewayAddress(text: string): GatewayAddress {
  const address = text.trim();
  if (/^arn[:%]/i.test(address)) {
    const { arn, partition, region, gatewayId } = parseGatewayArn(address);
    return { name: arn, region, partition, gatewayId, url: undefined };
  }
  const url = /^https?:/i.test(address) && URL.canParse(address) ? new URL(address) : undefined;
  if (!url || url.username || url.password || !isSecureUrl(url)) {
    throw new AgentCoreError(
      'usage',
      'Not the address of an AgentCore gateway, expected its ARN or https://GATEWAY_ID.gateway.bedrock-agentcore.REGION.amazonaws.com/mcp',
    );
  }
  const [, gatewayId, region] = GATEWAY_HOST.exec(url.hostname) ?? [];
  const name = url.origin + url.pathname;
  if (gatewayId === undefined || region === undefined) return { name, region: undefined, url };
  return { name, region, partition: 'aws', gatewayId, url: undefined };
}

/**
 * The MCP URL of a gateway: below the custom endpoint if one is set, else on the AWS host.
 *
 * @throws {AgentCoreError} `usage`
 */
export function getGatewayUrl(address: GatewayAddress, endpoint: EndpointOptions): URL {
  if (address.url) return address.url;
  const { gatewayId, region, partition } = address;
  const { override, fips, dualStack } = endpoint;
  if (override !== undefined) {
    const base = URL.canParse(override) ? new URL(override) : undefined;
    if (!base || !/^https?:$/.test(base.protocol)) {
      throw new AgentCoreError('usage', 'The endpoint is not an http or https URL');
    }
    base.pathname = `${base.pathname.replace(/\/$/, '')}/gateways/${gatewayId}/mcp`;
    return base;
  }
  if (fips || dualStack) {
    throw new AgentCoreError(
      'usage',
      `No FIPS or dual-stack address of gateways is known: set AGENTCORE_AGENT_ARN to the gateway's URL, or unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT`,
    );
  }
  const suffix = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  return new URL(`https://${gatewayId}.gateway.bedrock-agentcore.${region}.${suffix}/mcp`);
}
