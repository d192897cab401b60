import { SAMPLE_RUNTIME } from '../runtimes/runtime-entry.ts';

/**
 * The configuration of a local AgentCore with the sample server. It is JSON, which is valid YAML.
 *
 * @param node VS Code's executable. `ELECTRON_RUN_AS_NODE` makes it run as Node.
 * @param server The path of the sample server.
 */
export function createSampleConfig(node: string, server: string): string {
  const sample = {
    command: [node, server],
    sessions: 'stateful',
    env: { ELECTRON_RUN_AS_NODE: '1' },
  };
  return `${JSON.stringify({ runtimes: { [SAMPLE_RUNTIME]: sample } }, undefined, 2)}\n`;
}
