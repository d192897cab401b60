import {
  acceptedContent,
  completable,
  inputRequired,
  type McpServer,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { pixel, text } from './media.ts';

const CONTEXT = z.object({ context: z.string() });
const PLACES = ['paris', 'park', 'party', 'test'];

/** Prompts with each kind of content. One argument supports completion. */
export function registerPrompts(server: McpServer): void {
  server.registerPrompt('test_simple_prompt', { description: 'Has no arguments' }, () => ({
    messages: [{ role: 'user', content: text('This is a simple prompt for testing.') }],
  }));

  const place = completable(z.string().describe('First test argument'), (value) =>
    PLACES.filter((word) => word.startsWith(value)),
  );
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'Has two arguments',
      argsSchema: z.object({ arg1: place, arg2: z.string().describe('Second test argument') }),
    },
    ({ arg1, arg2 }) => {
      const words = `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`;
      return { messages: [{ role: 'user', content: text(words) }] };
    },
  );

  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    {
      description: 'Embeds a resource',
      argsSchema: z.object({ resourceUri: z.string().describe('URI of the resource to embed') }),
    },
    ({ resourceUri }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'resource',
            resource: {
              uri: resourceUri,
              mimeType: 'text/plain',
              text: 'Embedded resource content for testing.',
            },
          },
        },
        { role: 'user', content: text('Please process the embedded resource above.') },
      ],
    }),
  );

  server.registerPrompt('test_prompt_with_image', { description: 'Has an image' }, () => ({
    messages: [
      { role: 'user', content: pixel },
      { role: 'user', content: text('Please analyze the image above.') },
    ],
  }));

  server.registerPrompt(
    'test_input_required_result_prompt',
    { description: 'Needs a context first' },
    ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'user_context', CONTEXT);
      if (answer) return { messages: [{ role: 'user', content: text(answer.context) }] };
      const user_context = inputRequired.elicit({
        message: 'What context should the prompt use?',
        requestedSchema: CONTEXT,
      });
      return inputRequired({ inputRequests: { user_context } });
    },
  );
}
