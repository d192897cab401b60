import type { Driver } from './driver.ts';
import { until } from './until.ts';

const startMs = 120_000;

/**
 * Starts all MCP servers until one of them has a tool whose name ends in `tool`, and gives the whole
 * name, which VS Code makes of the server's. More than once: soon after an activation or a change
 * of the servers, the command does nothing and says so to nobody.
 */
export async function startMcpServers(driver: Driver, tool: string): Promise<string> {
  return await until(startMs, `The tool ${tool}`, () =>
    driver.run(async ({ commands, lm }, tool) => {
      await commands.executeCommand('workbench.mcp.startServer', '*', { waitForLiveTools: true });
      return lm.tools.find(({ name }) => name.endsWith(tool))?.name;
    }, tool),
  );
}

/** Calls a tool outside of chat, where VS Code asks in a dialog, and gives its result's text. */
export async function callTool(driver: Driver, name: string, input: object): Promise<string> {
  return await driver.run(
    async ({ lm, LanguageModelTextPart }, name, input) => {
      const { content } = await lm.invokeTool(name, { input, toolInvocationToken: undefined });
      return content
        .filter((part) => part instanceof LanguageModelTextPart)
        .map(({ value }) => value)
        .join('');
    },
    name,
    input,
  );
}
