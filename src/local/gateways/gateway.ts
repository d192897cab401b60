import type { JwtAuthorizer } from '../authorization/jwt-authorizer.ts';
import type { RuntimeConfig } from '../config.ts';
import type { ServedRuntime } from '../platform.ts';

/** A resolved gateway. */
export interface GatewayConfig {
  readonly name: string;
  /** The lower-case name, a dash and ten characters. Stable across restarts. */
  readonly gatewayId: string;
  readonly arn: string;
  readonly authorizer: 'AWS_IAM' | 'NONE' | JwtAuthorizer;
  readonly targets: readonly TargetConfig[];
  readonly sessions: boolean;
  /** Seconds. */
  readonly sessionTimeout: number;
}

export interface TargetConfig {
  readonly name: string;
  readonly targetId: string;
  /** The name of a runtime, or a server of this gateway only. */
  readonly server: string | RuntimeConfig;
}

/** A target and its runtime. */
export interface ServedTarget {
  readonly name: string;
  readonly runtime: ServedRuntime;
}

export interface ServedGateway {
  readonly config: GatewayConfig;
  readonly targets: readonly ServedTarget[];
}

/** Supported MCP versions, oldest first. */
export const GATEWAY_VERSIONS: readonly string[] = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** The authorizer type in the format of the control plane. */
export function getAuthorizerType({ authorizer }: GatewayConfig): string {
  return typeof authorizer === 'string' ? authorizer : 'CUSTOM_JWT';
}

/** The MCP endpoint of a gateway. On AWS, each gateway has its own host. */
export function getGatewayUrl(baseUrl: string, { gatewayId }: GatewayConfig): string {
  return `${baseUrl}/gateways/${gatewayId}/mcp`;
}

/** A gateway as exposed to tests. */
export interface LocalGatewayInfo {
  readonly name: string;
  readonly arn: string;
  readonly gatewayId: string;
  readonly authorizer: string;
  /** The MCP endpoint. */
  readonly url: string;
}

export function toGatewayInfo(baseUrl: string, config: GatewayConfig): LocalGatewayInfo {
  const { name, arn, gatewayId } = config;
  const authorizer = getAuthorizerType(config);
  return { name, arn, gatewayId, authorizer, url: getGatewayUrl(baseUrl, config) };
}
