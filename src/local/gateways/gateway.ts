import type { JwtAuthorizer } from '../authorization/jwt-authorizer.ts';
import type { RuntimeConfig } from '../config.ts';
import type { ServedRuntime } from '../platform.ts';

/** A gateway with all its settings and its ARN. */
export interface GatewayConfig {
  readonly name: string;
  /** The name in small letters, a dash and ten characters; the same at each start. */
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
  /** A runtime by its name, or a server of the gateway's own. */
  readonly server: string | RuntimeConfig;
}

/** A target with the runtime that serves it. */
export interface ServedTarget {
  readonly name: string;
  readonly runtime: ServedRuntime;
}

export interface ServedGateway {
  readonly config: GatewayConfig;
  readonly targets: readonly ServedTarget[];
}

/** The versions of MCP that a gateway speaks, oldest first. */
export const GATEWAY_VERSIONS: readonly string[] = ['2025-03-26', '2025-06-18', '2025-11-25'];

/** What the control plane calls its authorizer. */
export function authorizerTypeOf({ authorizer }: GatewayConfig): string {
  return typeof authorizer === 'string' ? authorizer : 'CUSTOM_JWT';
}

/** Where a gateway is served, which AWS gives a host of its own. */
export function gatewayUrlOf(baseUrl: string, { gatewayId }: GatewayConfig): string {
  return `${baseUrl}/gateways/${gatewayId}/mcp`;
}

/** A gateway as a test asks for it. */
export interface LocalGatewayInfo {
  readonly name: string;
  readonly arn: string;
  readonly gatewayId: string;
  readonly authorizer: string;
  /** Where it speaks MCP. */
  readonly url: string;
}

export function gatewayInfo(baseUrl: string, config: GatewayConfig): LocalGatewayInfo {
  const { name, arn, gatewayId } = config;
  const authorizer = authorizerTypeOf(config);
  return { name, arn, gatewayId, authorizer, url: gatewayUrlOf(baseUrl, config) };
}
