import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import type { RuntimeArn } from './arn.ts';
import { type EndpointOptions, getDataPlaneUrl } from './endpoints.ts';
import type { Network } from './network.ts';
import { createSdkRequestHandler } from './sdk-request-handler.ts';
import type { Credentials } from './signer.ts';

/** Session timeouts of a runtime, in seconds. */
export interface LifecycleConfiguration {
  readonly idleRuntimeSessionTimeout?: number | undefined;
  readonly maxLifetime?: number | undefined;
}

/**
 * The base URL of AgentCore's control plane. Only the first label of the host differs from the data
 * plane. A test compares it with the SDK.
 *
 * @throws {AgentCoreError} `usage` if the override is not an HTTP URL or conflicts with other
 * options.
 */
export function getControlPlaneUrl(
  place: Pick<RuntimeArn, 'partition' | 'region'>,
  options: EndpointOptions,
): URL {
  const url = getDataPlaneUrl(place, options);
  if (options.override === undefined) {
    url.hostname = url.hostname.replace(/^bedrock-agentcore/, 'bedrock-agentcore-control');
  }
  return url;
}

/**
 * Calls GetAgentRuntime for the newest version of a runtime. Endpoints other than DEFAULT may serve
 * an older version with other settings.
 *
 * @returns `undefined` if the runtime has no lifecycle configuration.
 * @throws the errors of the SDK client.
 */
export async function readLifecycle(options: {
  readonly runtime: RuntimeArn;
  readonly endpoint: URL;
  readonly credentials: Credentials;
  readonly network: Network;
  readonly signal: AbortSignal;
}): Promise<LifecycleConfiguration | undefined> {
  const { runtime, endpoint, credentials, network, signal } = options;
  const agent = await network.agentFor(endpoint);
  const client = new BedrockAgentCoreControlClient({
    endpoint: endpoint.href,
    region: runtime.region,
    credentials,
    maxAttempts: 1,
    requestHandler: createSdkRequestHandler(agent, { connect: 5_000, read: 5_000 }),
  });
  try {
    const command = new GetAgentRuntimeCommand({ agentRuntimeId: runtime.runtimeId });
    return (await client.send(command, { abortSignal: signal })).lifecycleConfiguration;
  } finally {
    client.destroy();
    agent.destroy();
  }
}
