import type { McpServer, RequestId, ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './media.ts';

type Asked = Parameters<McpServer['server']['elicitInput']>[0];
type RequestedSchema = Extract<Asked, { requestedSchema: unknown }>['requestedSchema'];

/** Tools that send requests to the client while they run, as servers up to 2025-11-25 do. */
export function registerAskingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Has the client sample', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user' as const, content: text(prompt) }];
      const { content } = await mcpReq.requestSampling(
        { messages, maxTokens: 100 },
        onStreamOf(mcpReq),
      );
      return { content: [text(`LLM response: ${JSON.stringify(content)}`)] };
    },
  );

  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user', inputSchema: z.object({ message: z.string() }) },
    async ({ message }, { mcpReq }) => {
      const requestedSchema: RequestedSchema = {
        type: 'object',
        properties: {
          username: { type: 'string', description: "User's response" },
          email: { type: 'string', description: "User's email address" },
        },
        required: ['username', 'email'],
      };
      const asked = { message, requestedSchema };
      const { action, content } = await mcpReq.elicitInput(asked, onStreamOf(mcpReq));
      return { content: [text(`User response: ${action}, ${JSON.stringify(content)}`)] };
    },
  );

  registerForm(server, 'test_elicitation_sep1034_defaults', {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  });

  const options = ['option1', 'option2', 'option3'];
  const titled = [
    { const: 'value1', title: 'First' },
    { const: 'value2', title: 'Second' },
    { const: 'value3', title: 'Third' },
  ];
  registerForm(server, 'test_elicitation_sep1330_enums', {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  });
}

/** A tool that shows the user a form. */
function registerForm(
  server: McpServer,
  name: string,
  properties: RequestedSchema['properties'],
): void {
  server.registerTool(name, { description: 'Shows the user a form' }, async ({ mcpReq }) => {
    const requestedSchema: RequestedSchema = { type: 'object', properties };
    const asked = { message: 'Please fill this in', requestedSchema };
    const { action, content } = await mcpReq.elicitInput(asked, onStreamOf(mcpReq));
    const filledIn = `action=${action}, content=${JSON.stringify(content)}`;
    return { content: [text(`Elicitation completed: ${filledIn}`)] };
  });
}

/**
 * Without this, the library sends server requests on the standalone GET stream, which AgentCore
 * lacks. They must be sent on the stream of the call.
 */
function onStreamOf(mcpReq: ServerContext['mcpReq']): { relatedRequestId: RequestId } {
  return { relatedRequestId: mcpReq.id };
}
