/** One of the servers in `examples/runtimes`, as AgentCore Runtime hosts it. */
export interface SampleRuntime {
  /** Its folder in `examples/runtimes`, and the last part of its ECR repository's name. */
  readonly folder: string;
  /** Its name on AgentCore, which has letters, digits and `_` only. */
  readonly name: string;
  /** What AgentCore speaks with the container: MCP on port 8000, or HTTP on 8080. */
  readonly protocol: 'MCP' | 'HTTP';
  readonly description: string;
}

export const SAMPLE_RUNTIMES: readonly SampleRuntime[] = [
  {
    folder: 'stateless',
    name: 'sample_stateless',
    protocol: 'MCP',
    description: 'MCP server without sessions of its own',
  },
  {
    folder: 'stateful',
    name: 'sample_stateful',
    protocol: 'MCP',
    description: 'MCP server that samples, elicits and reports progress',
  },
  {
    folder: 'stateful-bridge',
    name: 'sample_stateful_bridge',
    // The bridge answers by HTTP, and the runtime session is the session of its server.
    protocol: 'HTTP',
    description: 'MCP server on stdio behind the bridge',
  },
  {
    folder: 'stateless-2026',
    name: 'sample_stateless_2026',
    protocol: 'MCP',
    description: 'MCP server of revision 2026-07-28',
  },
];

/** @param prefix What all repositories' names begin with, such as `agentcore-mcp`. */
export function repositoryName(prefix: string, { folder }: SampleRuntime): string {
  return `${prefix}/${folder}`;
}

/** The id of a runtime's resources in a template: `StatefulBridge`. */
export function resourceId({ folder }: SampleRuntime): string {
  return folder
    .split('-')
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join('');
}
