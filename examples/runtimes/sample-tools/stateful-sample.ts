import { setTimeout as delay } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import * as z from 'zod';
import {
  CHARACTER,
  CHARACTER_FORM,
  CHARACTER_QUESTION,
  NO_PROFILE,
  profileText,
} from './character.ts';
import { registerPlainTools } from './plain-tools.ts';
import { Research } from './research.ts';
import { STORY_TOKENS, sampledText, storyPrompt, storyText } from './story.ts';
import { text } from './text.ts';

/** Milliseconds that a person has to answer: as long as AgentCore keeps an idle session. */
const PATIENCE = 15 * 60_000;

/** The server of one session; what it remembers, it remembers for that session alone. */
export function statefulSample(name: string): McpServer {
  const server = new McpServer({ name, version: '1.0.0' }, { capabilities: { logging: {} } });
  registerPlainTools(server, new Research());
  registerMemory(server);
  registerAskingTools(server);
  return server;
}

function registerMemory(server: McpServer): void {
  const notes: string[] = [];

  server.registerTool(
    'remember',
    {
      description: 'Keeps a note for this session',
      inputSchema: { note: z.string().min(1) },
    },
    ({ note }) => {
      notes.push(note);
      return text(`Notes of this session: ${notes.join(', ')}`);
    },
  );

  server.registerTool(
    'count_down',
    {
      description: 'Counts down to zero, and reports each step as progress',
      inputSchema: {
        from: z.number().int().min(1).max(100),
        interval: z.number().int().min(0).max(10_000).default(200).describe('Milliseconds'),
      },
      annotations: { readOnlyHint: true },
    },
    async ({ from, interval }, { sendNotification, signal, _meta }) => {
      const progressToken = _meta?.progressToken;
      for (let step = 1; step <= from; step++) {
        if (progressToken !== undefined) {
          const message = `${from - step} to go`;
          const params = { progressToken, progress: step, total: from, message };
          await sendNotification({ method: 'notifications/progress', params });
        }
        await delay(interval, undefined, { signal });
      }
      return text('Lift-off');
    },
  );
}

/**
 * Tools that ask the client while they run. What a tool asks has to come on the stream of its call
 * (`relatedRequestId`): AgentCore has no other.
 */
function registerAskingTools(server: McpServer): void {
  server.registerTool(
    'tell_story',
    {
      description: 'Tells a story that the model of the client writes, by sampling',
      inputSchema: { topic: z.string().min(1) },
    },
    async ({ topic }, { requestId, signal }) => {
      const { content } = await server.server.createMessage(
        {
          messages: [{ role: 'user', content: { type: 'text', text: storyPrompt(topic) } }],
          maxTokens: STORY_TOKENS,
        },
        { relatedRequestId: requestId, signal, timeout: PATIENCE },
      );
      return text(storyText(topic, sampledText(content)));
    },
  );

  server.registerTool(
    'create_profile',
    { description: 'Describes a character that the user makes up, by elicitation' },
    async ({ requestId, signal }) => {
      const { action, content } = await server.server.elicitInput(
        { message: CHARACTER_QUESTION, requestedSchema: CHARACTER_FORM },
        { relatedRequestId: requestId, signal, timeout: PATIENCE },
      );
      return text(action === 'accept' ? profileText(CHARACTER.parse(content)) : NO_PROFILE);
    },
  );
}
