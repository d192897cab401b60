import type { Driver } from './driver.ts';
import { until } from './until.ts';

const startMs = 120_000;

/**
 * Starts all MCP servers until one of them has a tool whose name ends in `tool`, and returns the
 * full name in VS Code. Runs the command repeatedly, because soon after an activation or a change
 * of the servers it does nothing and reports no error.
 */
export async function startMcpServers(driver: Driver, tool: string): Promise<string> {
  return await until(startMs, `The tool ${tool}`, () =>
    driver.run(async ({ commands, lm }, tool) => {
      await commands.executeCommand('workbench.mcp.startServer', '*', { waitForLiveTools: true });
      return lm.tools.find(({ name }) => name.endsWith(tool))?.name;
    }, tool),
  );
}

/** Calls a tool outside chat, where VS Code shows a dialog, and returns the text of its result. */
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
