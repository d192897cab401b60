import { setTimeout as pause } from 'node:timers/promises';
import type { McpServer } from '@modelcontextprotocol/server';
import { pixel, SILENCE, text } from './media.ts';

/** The interval that the suite requires between two messages of a tool, in milliseconds. */
const BETWEEN_MESSAGES = 50;

/** Tools that return each kind of content and report progress. */
export function registerContentTools(server: McpServer): void {
  server.registerTool('test_simple_text', { description: 'Answers with text' }, () => ({
    content: [text('This is a simple text response for testing.')],
  }));

  server.registerTool('test_image_content', { description: 'Answers with an image' }, () => ({
    content: [pixel],
  }));

  server.registerTool('test_audio_content', { description: 'Answers with audio' }, () => ({
    content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }],
  }));

  server.registerTool('test_embedded_resource', { description: 'Answers with a resource' }, () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  }));

  server.registerTool(
    'test_multiple_content_types',
    { description: 'Answers with text, an image and a resource' },
    () => ({
      content: [
        text('Multiple content types test:'),
        pixel,
        {
          type: 'resource',
          resource: {
            uri: 'test://mixed-content-resource',
            mimeType: 'application/json',
            text: JSON.stringify({ test: 'data', value: 123 }),
          },
        },
      ],
    }),
  );

  server.registerTool('test_error_handling', { description: 'Fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });

  server.registerTool(
    'test_tool_with_progress',
    { description: 'Reports progress' },
    async ({ mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (const progress of [0, 50, 100]) {
        if (progress > 0) await pause(BETWEEN_MESSAGES);
        if (progressToken === undefined) continue;
        const params = { progressToken, progress, total: 100 };
        await mcpReq.notify({ method: 'notifications/progress', params });
      }
      return { content: [text('Done')] };
    },
  );

  for (const name of ['test_tool_with_logging', 'test_logging_tool']) {
    server.registerTool(name, { description: 'Logs what it does' }, async ({ mcpReq }) => {
      await mcpReq.log('info', 'Tool execution started');
      await pause(BETWEEN_MESSAGES);
      await mcpReq.log('info', 'Tool processing data');
      await pause(BETWEEN_MESSAGES);
      await mcpReq.log('info', 'Tool execution completed');
      return { content: [text('Done')] };
    });
  }

  server.registerTool(
    'test_reconnection',
    { description: 'Closes its stream before it answers' },
    ({ http }) => {
      http?.closeSSE?.();
      return { content: [text('Answered on another stream')] };
    },
  );
}
