import { McpServer } from '@modelcontextprotocol/server';
import { registerAskingTools } from './asking-tools.ts';
import { type Changes, registerChangingTools } from './changing-tools.ts';
import { registerContentTools } from './content-tools.ts';
import { registerInputTools } from './input-tools.ts';
import { registerPrompts } from './prompts.ts';
import { requestStates } from './request-states.ts';
import { registerResources } from './resources.ts';
import { registerSchemaTools } from './schema-tools.ts';

/**
 * A server with every feature that the conformance suite checks, in both eras. There is one for
 * each request or, in the handshake era, for each session.
 */
export function everythingServer(changes: Changes): McpServer {
  const server = new McpServer(
    { name: 'everything', version: '1' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        completions: {},
        logging: {},
      },
      requestState: { verify: requestStates.verify },
    },
  );
  registerContentTools(server);
  registerSchemaTools(server);
  registerAskingTools(server);
  registerInputTools(server);
  registerChangingTools(server, changes);
  registerResources(server);
  registerPrompts(server);
  return server;
}
