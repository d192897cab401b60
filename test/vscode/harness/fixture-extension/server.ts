/**
 * An MCP server with a tool that requires confirmation, one with elicitation and one with sampling.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'fixture-server', version: '1' });
const answer = (text: string) => ({ content: [{ type: 'text' as const, text }] });

server.registerTool(
  'shout',
  { description: 'Says it loudly', inputSchema: { word: z.string() } },
  ({ word }) => answer(word.toUpperCase()),
);

server.registerTool(
  'ask_user',
  { description: 'Asks for a name', annotations: { readOnlyHint: true } },
  async () => {
    const { action, content } = await server.server.elicitInput({
      message: 'What is your name?',
      requestedSchema: {
        type: 'object',
        properties: {
          name: { type: 'string', title: 'Name' },
          team: { type: 'string', title: 'Team', enum: ['Red', 'Blue'] },
          motto: { type: 'string', title: 'Motto' },
        },
        required: ['name', 'team', 'motto'],
      },
    });
    const { name, team, motto } = content ?? {};
    return answer(content ? `${action}: ${name}, ${team}, ${motto}` : action);
  },
);

server.registerTool(
  'ask_model',
  { description: 'Asks the model', annotations: { readOnlyHint: true } },
  async () => {
    const question = { type: 'text' as const, text: 'What is the capital of France?' };
    const { content } = await server.server.createMessage({
      messages: [{ role: 'user', content: question }],
      maxTokens: 100,
    });
    return answer(content.type === 'text' ? content.text : content.type);
  },
);

await server.connect(new StdioServerTransport());
