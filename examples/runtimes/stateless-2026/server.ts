/**
 * A server of MCP 2026-07-28, which has no sessions: what a tool needs to know, it says in its
 * result (`input_required`), and the client calls again with the answer.
 */
import { toNodeHandler } from '@modelcontextprotocol/node';
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  inputResponse,
  McpServer,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import {
  CHARACTER,
  CHARACTER_FORM,
  CHARACTER_QUESTION,
  NO_PROFILE,
  profileText,
} from '../sample-tools/character.ts';
import { listen } from '../sample-tools/listen.ts';
import { RESEARCH, Research } from '../sample-tools/research.ts';
import { STORY_TOKENS, sampledText, storyPrompt, storyText } from '../sample-tools/story.ts';
import { text } from '../sample-tools/text.ts';
import { weatherOf } from '../sample-tools/weather.ts';

/** Of the process, which on AgentCore is one runtime session's. */
const research = new Research();

function createRequestServer(): McpServer {
  const server = new McpServer(
    { name: 'agentcore-2026-sample', version: '1.0.0' },
    { capabilities: { logging: {} } },
  );
  registerPlainTools(server);
  registerAskingTools(server);
  return server;
}

function registerPlainTools(server: McpServer): void {
  server.registerTool(
    'whoami',
    { description: 'Tells which microVM answers', annotations: { readOnlyHint: true } },
    ({ http }) => {
      // MCP has no sessions any more; AgentCore still routes by this header.
      const session = http?.req?.headers.get('mcp-session-id') ?? 'unknown';
      return text(`Session ${session} in process ${process.pid}`);
    },
  );

  server.registerTool(
    'get_weather',
    {
      description: 'Tells the weather of a city, the same every day',
      inputSchema: z.object({ city: z.string().min(1) }),
      annotations: { readOnlyHint: true },
    },
    ({ city }) => text(weatherOf(city)),
  );

  server.registerTool(
    'research',
    {
      description: 'Reads source after source, reports each as progress, and can be cancelled',
      inputSchema: z.object(RESEARCH),
    },
    async (order, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      const found = await research.run(order, {
        signal: mcpReq.signal,
        log: (sentence) => mcpReq.log('info', sentence),
        async progress(progress, total, message) {
          if (progressToken === undefined) return;
          const params = { progressToken, progress, total, message };
          await mcpReq.notify({ method: 'notifications/progress', params });
        },
      });
      return text(found);
    },
  );

  server.registerTool(
    'research_state',
    { description: 'Tells how the last research went', annotations: { readOnlyHint: true } },
    () => text(research.state),
  );
}

function registerAskingTools(server: McpServer): void {
  server.registerTool(
    'tell_story',
    {
      description: 'Tells a story that the model of the client writes',
      inputSchema: z.object({ topic: z.string().min(1) }),
    },
    ({ topic }, { mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'story');
      if (answer.kind === 'sampling') {
        return text(storyText(topic, sampledText(answer.result.content)));
      }
      const story = inputRequired.createMessage({
        messages: [{ role: 'user', content: { type: 'text', text: storyPrompt(topic) } }],
        maxTokens: STORY_TOKENS,
      });
      return inputRequired({ inputRequests: { story } });
    },
  );

  server.registerTool(
    'create_profile',
    { description: 'Describes a character that the user makes up' },
    ({ mcpReq }) => {
      const character = acceptedContent(mcpReq.inputResponses, 'character', CHARACTER);
      if (character) return text(profileText(character));
      // Whoever declined is not asked again.
      const answer = inputResponse(mcpReq.inputResponses, 'character');
      if (answer.kind === 'elicit' && answer.action !== 'accept') return text(NO_PROFILE);
      const asked = inputRequired.elicit({
        message: CHARACTER_QUESTION,
        requestedSchema: CHARACTER_FORM,
      });
      return inputRequired({ inputRequests: { character: asked } });
    },
  );
}

const serve = toNodeHandler(createMcpHandler(createRequestServer, { legacy: 'reject' }));
listen((request, response) => serve(request as never, response));
