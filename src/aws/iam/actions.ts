/**
 * The required resources of each action. An invocation is authorized for both the runtime and its
 * endpoint. List actions support only `*`.
 *
 * Source: "Actions, resources, and condition keys for Amazon Bedrock AgentCore" in the Service
 * Authorization Reference, as of September 2026.
 */
const ACTION_RESOURCES = {
  InvokeAgentRuntime: 'runtime-and-endpoint',
  InvokeAgentRuntimeForUser: 'runtime-and-endpoint',
  StopRuntimeSession: 'runtime-and-endpoint',
  GetAgentCard: 'runtime-and-endpoint',
  InvokeAgentRuntimeCommand: 'runtime-and-endpoint',
  GetAgentRuntime: 'runtime',
  ListAgentRuntimes: 'any',
  ListAgentRuntimeEndpoints: 'any',
  ListAgentRuntimeVersions: 'any',
  InvokeGateway: 'gateway',
  GetGateway: 'gateway',
  ListGateways: 'any',
} as const;

export type AgentCoreAction = keyof typeof ACTION_RESOURCES;

/** Actions for listing runtimes and gateways, in addition to the `Get` actions. */
export const LIST_ACTIONS: readonly AgentCoreAction[] = [
  'ListAgentRuntimes',
  'ListAgentRuntimeEndpoints',
  'ListAgentRuntimeVersions',
  'ListGateways',
];

/** Adds the IAM service prefix. */
export function getActionName(action: AgentCoreAction): string {
  return `bedrock-agentcore:${action}`;
}

/** Returns the resource kind of an action, or `undefined` for an unlisted action. */
export function getResourceKind(
  action: string,
): (typeof ACTION_RESOURCES)[AgentCoreAction] | undefined {
  const [service, name = ''] = action.split(':');
  if (service !== 'bedrock-agentcore' || !Object.hasOwn(ACTION_RESOURCES, name)) return undefined;
  return ACTION_RESOURCES[name as AgentCoreAction];
}
