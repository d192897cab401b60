import { describeJwtAuthorizer } from '../authorization/jwt-authorizer.ts';
import type { ResolvedConfig } from '../config.ts';
import {
  GATEWAY_VERSIONS,
  type GatewayConfig,
  getAuthorizerType,
  getGatewayUrl,
  type TargetConfig,
} from './gateway.ts';

const DESCRIPTION = 'Served by the local AgentCore';

/** A gateway in the format of ListGateways, without its URL. */
export function summarizeGateway(gateway: GatewayConfig, since: string): object {
  return {
    gatewayId: gateway.gatewayId,
    name: gateway.name,
    status: 'READY',
    description: DESCRIPTION,
    createdAt: since,
    updatedAt: since,
    authorizerType: getAuthorizerType(gateway),
    protocolType: 'MCP',
  };
}

/** A gateway in the format of GetGateway. */
export function describeGateway(
  gateway: GatewayConfig,
  { partition, account }: ResolvedConfig,
  since: string,
  urls: { readonly base: string; readonly issuer: string },
): object {
  const { authorizer, sessions, sessionTimeout } = gateway;
  return {
    ...summarizeGateway(gateway, since),
    gatewayArn: gateway.arn,
    gatewayUrl: getGatewayUrl(urls.base, gateway),
    roleArn: `arn:${partition}:iam::${account}:role/AgentCoreLocal-${gateway.name}`,
    protocolConfiguration: {
      mcp: {
        supportedVersions: GATEWAY_VERSIONS,
        ...(sessions && {
          sessionConfiguration: { sessionTimeoutInSeconds: Math.ceil(sessionTimeout) },
        }),
      },
    },
    ...(typeof authorizer !== 'string' && {
      authorizerConfiguration: describeJwtAuthorizer(authorizer, urls.issuer),
    }),
  };
}

export function summarizeTarget({ name, targetId, server }: TargetConfig, since: string): object {
  return {
    targetId,
    name,
    status: 'READY',
    createdAt: since,
    updatedAt: since,
    lastSynchronizedAt: since,
    targetType: typeof server === 'string' ? 'AGENTCORE_RUNTIME' : 'MCP_SERVER',
  };
}

/** A target in the format of GetGatewayTarget. */
export function describeTarget(
  target: TargetConfig,
  { arn }: GatewayConfig,
  since: string,
): object {
  const { server } = target;
  return {
    ...summarizeTarget(target, since),
    gatewayArn: arn,
    targetConfiguration: {
      mcp: {
        // A placeholder: the real address of the target is internal.
        mcpServer: {
          endpoint: `https://${typeof server === 'string' ? server : target.name}.invalid/mcp`,
        },
      },
    },
    credentialProviderConfigurations: [{ credentialProviderType: 'GATEWAY_IAM_ROLE' }],
  };
}
