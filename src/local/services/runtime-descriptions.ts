import type { ResolvedConfig, RuntimeConfig } from '../config.ts';

/** A runtime that is served from a configuration has only ever had this version. */
export const VERSION = '1';

const DESCRIPTION = 'Served by the local AgentCore';

/** A runtime as the lists tell it: neither its protocol nor its authorizer. */
export function summaryOf(runtime: RuntimeConfig, since: string): object {
  return {
    agentRuntimeArn: runtime.arn,
    agentRuntimeId: runtime.runtimeId,
    agentRuntimeVersion: VERSION,
    agentRuntimeName: runtime.name,
    description: DESCRIPTION,
    lastUpdatedAt: since,
    status: 'READY',
  };
}

/**
 * A runtime as GetAgentRuntime tells it. Its environment and its command are never told: they may
 * hold what is secret.
 */
export function descriptionOf(
  runtime: RuntimeConfig,
  { partition, account }: ResolvedConfig,
  since: string,
): object {
  const { requestHeaderAllowlist } = runtime;
  return {
    ...summaryOf(runtime, since),
    createdAt: since,
    roleArn: `arn:${partition}:iam::${account}:role/AgentCoreLocal-${runtime.name}`,
    lifecycleConfiguration: {
      // AWS has whole seconds; a local session may be shorter than one.
      idleRuntimeSessionTimeout: Math.ceil(runtime.idleTimeout),
      maxLifetime: Math.ceil(runtime.maxLifetime),
    },
    networkConfiguration: { networkMode: 'PUBLIC' },
    protocolConfiguration: { serverProtocol: runtime.protocol },
    ...(requestHeaderAllowlist.length > 0 && {
      requestHeaderConfiguration: { requestHeaderAllowlist },
    }),
  };
}

/** An endpoint: the name that an invocation gives as its qualifier. */
export function endpointOf(runtime: RuntimeConfig, name: string, since: string): object {
  return {
    name,
    id: name,
    liveVersion: VERSION,
    agentRuntimeEndpointArn: `${runtime.arn}/runtime-endpoint/${name}`,
    agentRuntimeArn: runtime.arn,
    status: 'READY',
    createdAt: since,
    lastUpdatedAt: since,
  };
}
