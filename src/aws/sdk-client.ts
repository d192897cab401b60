import type { Agent } from 'node:http';
import {
  BedrockAgentCoreControlClient,
  GetAgentRuntimeCommand,
} from '@aws-sdk/client-bedrock-agentcore-control';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { Network } from '../http/network.ts';
import type { Timeouts } from '../http/post.ts';
import type { RuntimeArn } from './arn.ts';
import { type EndpointOptions, getDataPlaneUrl } from './endpoints.ts';
import type { Credentials, SigningClock } from './sigv4.ts';

type Handle = NodeHttpHandler['handle'];

/**
 * Creates a request handler for SDK clients. It uses the given agent for both schemes.
 *
 * @param clock Receives the time from responses. Each SDK client corrects its own signatures
 * itself.
 */
export function createSdkRequestHandler(
  agent: Agent,
  timeouts: Timeouts,
  clock?: SigningClock,
): NodeHttpHandler {
  const handler = new NodeHttpHandler({
    httpAgent: agent,
    // The type requires an https.Agent, but any agent with HTTPS support works.
    httpsAgent: agent as never,
    connectionTimeout: timeouts.connect,
    requestTimeout: timeouts.read,
  });
  if (clock) {
    const handle: Handle = handler.handle.bind(handler);
    handler.handle = async (...request: Parameters<Handle>) => {
      const answer = await handle(...request);
      clock.learn(answer.response.headers.date);
      return answer;
    };
  }
  return handler;
}

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
