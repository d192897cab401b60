/** A task done through the proxy. The runtime is the one that the proxy's environment names. */
import { fileURLToPath } from 'node:url';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Agent } from './agent.ts';
import { ScriptedModel } from './scripted-model.ts';

const PROXY = fileURLToPath(new URL('../../dist/proxy.js', import.meta.url));
const TASK = 'A few words about the weather in Lisbon';

const definedVariables = Object.entries(process.env).filter(
  (variable): variable is [string, string] => variable[1] !== undefined,
);
const transport = new StdioClientTransport({
  command: process.execPath,
  args: [PROXY],
  env: Object.fromEntries(definedVariables),
});
// A real model takes the place of the scripted one here.
const agent = new Agent(new ScriptedModel(), (label, text) => {
  console.log(`${label.padEnd(9)}${text.replaceAll('\n', `\n${' '.repeat(9)}`)}`);
});
try {
  await agent.run(process.argv[2] ?? TASK, transport);
} catch (error) {
  console.error(`The task was not done: ${(error as Error).message}`);
  process.exitCode = 1;
}
