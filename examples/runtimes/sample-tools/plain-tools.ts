import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import { RESEARCH, type Research } from './research.ts';
import { text } from './text.ts';
import { weatherOf } from './weather.ts';

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** Registers the tools that ask the client nothing, and so work wherever a server is hosted. */
export function registerPlainTools(server: McpServer, research: Research): void {
  server.registerTool(
    'whoami',
    { description: 'Tells which microVM answers', annotations: { readOnlyHint: true } },
    (extra) => text(`Session ${sessionOf(extra)} in process ${process.pid}`),
  );

  server.registerTool(
    'get_weather',
    {
      description: 'Tells the weather of a city, the same every day',
      inputSchema: { city: z.string().min(1) },
      annotations: { readOnlyHint: true },
    },
    ({ city }) => text(weatherOf(city)),
  );

  server.registerTool(
    'research',
    {
      description: 'Reads source after source, reports each as progress, and can be cancelled',
      inputSchema: RESEARCH,
    },
    async (order, { sendNotification, signal, _meta }) => {
      const progressToken = _meta?.progressToken;
      const found = await research.run(order, {
        signal,
        log: (data) =>
          sendNotification({ method: 'notifications/message', params: { level: 'info', data } }),
        async progress(progress, total, message) {
          if (progressToken === undefined) return;
          const params = { progressToken, progress, total, message };
          await sendNotification({ method: 'notifications/progress', params });
        },
      });
      return text(found);
    },
  );

  server.registerTool(
    'research_state',
    {
      description: 'Tells how the last research went',
      annotations: { readOnlyHint: true },
    },
    () => text(research.state),
  );
}

/** The server's own session, else the one that AgentCore names, else the one of its bridge. */
function sessionOf({ sessionId, requestInfo }: Extra): string {
  return String(
    sessionId ?? requestInfo?.headers['mcp-session-id'] ?? process.env.MCP_SESSION_ID ?? 'unknown',
  );
}
