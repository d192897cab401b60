/**
 * A stateless MCP server as AgentCore Runtime hosts it: streamable HTTP on `/mcp`, and a new server
 * for each request. It cannot ask its client, so what needs an answer takes two tools.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as z from 'zod';
import {
  CHARACTER,
  CHARACTER_FORM,
  CHARACTER_QUESTION,
  profileText,
} from '../sample-tools/character.ts';
import { listen } from '../sample-tools/listen.ts';
import { registerPlainTools } from '../sample-tools/plain-tools.ts';
import { Research } from '../sample-tools/research.ts';
import { storyPrompt, storyText } from '../sample-tools/story.ts';
import { text } from '../sample-tools/text.ts';

/** Of the process, which on AgentCore is one runtime session's. */
const research = new Research();

function createRequestServer(): McpServer {
  const server = new McpServer(
    { name: 'agentcore-stateless-sample', version: '1.0.0' },
    { capabilities: { logging: {} } },
  );
  registerPlainTools(server, research);

  server.registerTool(
    'begin_story',
    {
      description: 'Tells what story to write; pass what you wrote to finish_story',
      inputSchema: { topic: z.string().min(1) },
      annotations: { readOnlyHint: true },
    },
    ({ topic }) => text(`${storyPrompt(topic)} Then call finish_story with it.`),
  );

  server.registerTool(
    'finish_story',
    {
      description: 'Tells the story that you wrote after begin_story',
      inputSchema: { topic: z.string().min(1), story: z.string().min(1) },
      annotations: { readOnlyHint: true },
    },
    ({ topic, story }) => text(storyText(topic, story)),
  );

  server.registerTool(
    'begin_profile',
    {
      description: 'Tells what to ask the user about a character; pass it to finish_profile',
      annotations: { readOnlyHint: true },
    },
    () => {
      const wanted = CHARACTER_FORM.required.join(', ');
      return text(`Ask the user: ${CHARACTER_QUESTION} Then call finish_profile with ${wanted}.`);
    },
  );

  server.registerTool(
    'finish_profile',
    {
      description: 'Describes the character that the user made up after begin_profile',
      inputSchema: CHARACTER.shape,
      annotations: { readOnlyHint: true },
    },
    (character) => text(profileText(character)),
  );

  return server;
}

listen(async (request, response) => {
  const server = createRequestServer();
  const transport = new StreamableHTTPServerTransport();
  // No later request reaches this server, not even a cancellation: what it does ends with its POST.
  response.once('close', () => void server.close());
  await server.connect(transport as Parameters<McpServer['connect']>[0]);
  await transport.handleRequest(request, response);
});
