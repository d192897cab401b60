import { SAMPLE_RUNTIME } from '../runtimes/runtime-entry.ts';

/**
 * The configuration of a local AgentCore that serves the sample, as text: the YAML that its files
 * are in takes JSON too.
 *
 * @param node Runs JavaScript: VS Code's own program, told to be Node.
 * @param server The path of the sample's server.
 */
export function sampleConfig(node: string, server: string): string {
  const sample = {
    command: [node, server],
    sessions: 'stateful',
    env: { ELECTRON_RUN_AS_NODE: '1' },
  };
  return `${JSON.stringify({ runtimes: { [SAMPLE_RUNTIME]: sample } }, undefined, 2)}\n`;
}
