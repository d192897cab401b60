/**
 * An MCP server on stdio, as it also runs beside a client. The bridge starts it inside a runtime's
 * container, one for each session, and speaks HTTP for it.
 */
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { statefulSample } from '../sample-tools/stateful-sample.ts';

statefulSample('agentcore-bridge-sample')
  .connect(new StdioServerTransport())
  .catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
