/**
 * What the `Resource` of a statement with an action has to name. An invocation is authorized for the
 * runtime and for its endpoint, and needs both; the lists know no resource but `*`.
 *
 * Source: "Actions, resources, and condition keys for Amazon Bedrock AgentCore" in the Service
 * Authorization Reference, as of September 2026.
 */
export const ACTION_RESOURCES = {
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

/** What the lists of runtimes and gateways take, besides the `Get` of each. */
export const LIST_ACTIONS: readonly AgentCoreAction[] = [
  'ListAgentRuntimes',
  'ListAgentRuntimeEndpoints',
  'ListAgentRuntimeVersions',
  'ListGateways',
];

/** With the prefix that IAM wants. */
export function actionName(action: AgentCoreAction): string {
  return `bedrock-agentcore:${action}`;
}

/** The kind of resource that an action takes; `undefined` for an action that is not listed here. */
export function resourceKindOf(
  action: string,
): (typeof ACTION_RESOURCES)[AgentCoreAction] | undefined {
  const [service, name = ''] = action.split(':');
  if (service !== 'bedrock-agentcore' || !Object.hasOwn(ACTION_RESOURCES, name)) return undefined;
  return ACTION_RESOURCES[name as AgentCoreAction];
}
