import { describeJwtAuthorizer } from '../authorization/jwt-authorizer.ts';
import type { EndpointConfig, ResolvedConfig, RuntimeConfig } from '../config.ts';

const DESCRIPTION = 'Served by the local AgentCore';

/** A version of a runtime in the format of the lists, without protocol and authorizer. */
export function summarizeRuntime(
  runtime: RuntimeConfig,
  since: string,
  version = String(runtime.version),
): object {
  return {
    agentRuntimeArn: runtime.arn,
    agentRuntimeId: runtime.runtimeId,
    agentRuntimeVersion: version,
    agentRuntimeName: runtime.name,
    description: DESCRIPTION,
    lastUpdatedAt: since,
    status: 'READY',
  };
}

/**
 * A version of a runtime in the format of GetAgentRuntime. All versions share one configuration.
 * Omits the command and the environment, because they may contain secrets.
 */
export function describeRuntime(
  runtime: RuntimeConfig,
  version: string,
  { partition, account }: ResolvedConfig,
  { since, issuer }: { readonly since: string; readonly issuer: string },
): object {
  const { requestHeaderAllowlist, authorizer } = runtime;
  return {
    ...summarizeRuntime(runtime, since, version),
    createdAt: since,
    roleArn: `arn:${partition}:iam::${account}:role/AgentCoreLocal-${runtime.name}`,
    lifecycleConfiguration: {
      // AWS has whole seconds, but local timeouts can be fractions.
      idleRuntimeSessionTimeout: Math.ceil(runtime.idleTimeout),
      maxLifetime: Math.ceil(runtime.maxLifetime),
    },
    networkConfiguration: { networkMode: 'PUBLIC' },
    protocolConfiguration: { serverProtocol: runtime.protocol },
    // Absent if the runtime uses SigV4.
    ...(authorizer !== 'IAM' && {
      authorizerConfiguration: describeJwtAuthorizer(authorizer, issuer),
    }),
    ...(requestHeaderAllowlist.length > 0 && {
      requestHeaderConfiguration: { requestHeaderAllowlist },
    }),
  };
}

/** An endpoint of a runtime. Its name is the qualifier of an invocation. */
export function describeEndpoint(
  runtime: RuntimeConfig,
  { name, version }: EndpointConfig,
  since: string,
): object {
  return {
    name,
    id: name,
    liveVersion: String(version),
    agentRuntimeEndpointArn: `${runtime.arn}/runtime-endpoint/${name}`,
    agentRuntimeArn: runtime.arn,
    status: 'READY',
    createdAt: since,
    lastUpdatedAt: since,
  };
}
