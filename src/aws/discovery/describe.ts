import type {
  AgentRuntime,
  AgentRuntimeEndpoint,
  AuthorizerConfiguration,
  GatewaySummary,
  GetAgentRuntimeCommandOutput,
  GetGatewayCommandOutput,
} from '@aws-sdk/client-bedrock-agentcore-control';
import type {
  DiscoveredEndpoint,
  DiscoveredGateway,
  DiscoveredJwt,
  DiscoveredRuntime,
} from './discovered.ts';
import { getPartition } from './partition.ts';

/** The account and region of a resource. */
export interface Home {
  readonly account: string;
  readonly region: string;
}

/** Converts a list entry. It has neither protocol nor authorizer. */
export function toRuntime(summary: AgentRuntime, home: Home): DiscoveredRuntime {
  const { agentRuntimeArn = '', agentRuntimeId = '', agentRuntimeName } = summary;
  return {
    kind: 'runtime',
    ...home,
    arn: agentRuntimeArn,
    id: agentRuntimeId,
    name: agentRuntimeName ?? agentRuntimeId,
    description: summary.description,
    version: summary.agentRuntimeVersion ?? '',
    status: summary.status ?? '',
    updatedAt: summary.lastUpdatedAt?.toISOString(),
  };
}

/** Converts the details from GetAgentRuntime. Omits environment variables and the image. */
export function toRuntimeDetails(answer: GetAgentRuntimeCommandOutput): Partial<DiscoveredRuntime> {
  const jwt = toJwtAuthorizer(answer.authorizerConfiguration);
  const { lifecycleConfiguration: lifecycle } = answer;
  return {
    ...(answer.status && { status: answer.status }),
    failureReason: answer.failureReason,
    // HTTP is the platform's default.
    protocol: answer.protocolConfiguration?.serverProtocol ?? 'HTTP',
    authorizer: answer.authorizerConfiguration ? 'JWT' : 'IAM',
    jwt,
    networkMode: answer.networkConfiguration?.networkMode,
    lifecycle: lifecycle && {
      idleTimeout: lifecycle.idleRuntimeSessionTimeout,
      maxLifetime: lifecycle.maxLifetime,
    },
  };
}

export function toEndpoint(endpoint: AgentRuntimeEndpoint): DiscoveredEndpoint {
  const { name = '', agentRuntimeEndpointArn = '', liveVersion, targetVersion } = endpoint;
  return {
    name,
    arn: agentRuntimeEndpointArn,
    status: endpoint.status ?? '',
    liveVersion,
    targetVersion: targetVersion === liveVersion ? undefined : targetVersion,
  };
}

export function toVersions(
  versions: readonly AgentRuntime[],
): NonNullable<DiscoveredRuntime['versions']> {
  return versions
    .map(({ agentRuntimeVersion = '', status = '', lastUpdatedAt }) => ({
      version: agentRuntimeVersion,
      status,
      updatedAt: lastUpdatedAt?.toISOString(),
    }))
    .sort((one, other) => Number(other.version) - Number(one.version));
}

const AUTHORIZERS: Readonly<Record<string, DiscoveredGateway['authorizer']>> = {
  AWS_IAM: 'IAM',
  CUSTOM_JWT: 'JWT',
  NONE: 'NONE',
};

/** Converts a list entry. It has no URL. */
export function toGateway(summary: GatewaySummary, home: Home): DiscoveredGateway {
  const { gatewayId = '', name, authorizerType = '' } = summary;
  const { region, account } = home;
  return {
    kind: 'gateway',
    ...home,
    // The list entry has no ARN.
    arn: `arn:${getPartition(region)}:bedrock-agentcore:${region}:${account}:gateway/${gatewayId}`,
    id: gatewayId,
    name: name ?? gatewayId,
    description: summary.description,
    status: summary.status ?? '',
    protocol: summary.protocolType,
    authorizer: AUTHORIZERS[authorizerType] ?? 'OTHER',
    updatedAt: summary.updatedAt?.toISOString(),
  };
}

/** Converts the details from GetGateway. */
export function toGatewayDetails(answer: GetGatewayCommandOutput): Partial<DiscoveredGateway> {
  return {
    ...(answer.gatewayArn && { arn: answer.gatewayArn }),
    ...(answer.status && { status: answer.status }),
    url: answer.gatewayUrl,
    jwt: toJwtAuthorizer(answer.authorizerConfiguration),
  };
}

function toJwtAuthorizer(
  configuration: AuthorizerConfiguration | undefined,
): DiscoveredJwt | undefined {
  const jwt = configuration?.customJWTAuthorizer;
  if (!jwt) return undefined;
  return {
    discoveryUrl: jwt.discoveryUrl ?? '',
    allowedAudience: jwt.allowedAudience ?? [],
    allowedClients: jwt.allowedClients ?? [],
    allowedScopes: jwt.allowedScopes ?? [],
  };
}
