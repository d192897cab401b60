import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  inputRequired,
  inputResponse,
  type McpServer,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './media.ts';
import { requestStates } from './request-states.ts';

const NAME = z.object({ name: z.string() });
const COLOR = z.object({ color: z.string() });
const CONFIRMATION = z.object({ ok: z.boolean() });

const askName = inputRequired.elicit({
  message: 'What is your name?',
  requestedSchema: NAME,
});

function askModel(question: string) {
  const messages = [{ role: 'user' as const, content: text(question) }];
  return inputRequired.createMessage({ messages, maxTokens: 100 });
}

/** Tools that return `input_required` results, as servers of 2026-07-28 do. */
export function registerInputTools(server: McpServer): void {
  for (const name of ['test_input_required_result_elicitation', 'test_streaming_elicitation']) {
    server.registerTool(name, { description: 'Needs a name' }, ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'user_name', NAME);
      if (!answer) return inputRequired({ inputRequests: { user_name: askName } });
      return { content: [text(`Hello, ${answer.name}!`)] };
    });
  }

  for (const name of ['test_input_required_result_sampling', 'test_missing_capability']) {
    server.registerTool(name, { description: 'Needs a model' }, ({ mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'capital_question');
      if (answer.kind !== 'sampling') {
        const capital_question = askModel('What is the capital of France?');
        return inputRequired({ inputRequests: { capital_question } });
      }
      return { content: [text(JSON.stringify(answer.result.content))] };
    });
  }

  server.registerTool(
    'test_input_required_result_list_roots',
    { description: 'Needs the roots' },
    ({ mcpReq }) => {
      const answer = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (answer.kind !== 'roots') {
        return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
      }
      return { content: [text(answer.roots.map(({ uri }) => uri).join(' '))] };
    },
  );

  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Needs whatever the client can give' },
    ({ mcpReq }) => {
      // The library's envelope type has no members.
      const envelope = mcpReq.envelope as { [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities };
      const { sampling, elicitation } = envelope[CLIENT_CAPABILITIES_META_KEY] ?? {};
      return inputRequired({
        inputRequests: {
          ...(sampling && { capital_question: askModel('What is the capital of France?') }),
          ...(elicitation && { user_name: askName }),
        },
      });
    },
  );

  registerStatefulInputTools(server);
}

/** Tools that keep state between rounds, and store it with the client. */
function registerStatefulInputTools(server: McpServer): void {
  for (const name of [
    'test_input_required_result_request_state',
    'test_input_required_result_tampered_state',
  ]) {
    server.registerTool(name, { description: 'Needs a confirmation' }, async ({ mcpReq }) => {
      const answer = acceptedContent(mcpReq.inputResponses, 'confirm', CONFIRMATION);
      if (answer && mcpReq.requestState() === 'asked') return { content: [text('state-ok')] };
      const confirm = inputRequired.elicit({
        message: 'Please confirm',
        requestedSchema: CONFIRMATION,
      });
      return inputRequired({
        inputRequests: { confirm },
        requestState: await requestStates.mint('asked'),
      });
    });
  }

  server.registerTool(
    'test_input_required_result_multiple_inputs',
    { description: 'Needs a name, a model and the roots' },
    async ({ mcpReq }) => {
      const name = acceptedContent(mcpReq.inputResponses, 'user_name', NAME);
      const greeting = inputResponse(mcpReq.inputResponses, 'greeting');
      const roots = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (name && greeting.kind === 'sampling' && roots.kind === 'roots') {
        return { content: [text(JSON.stringify([name, greeting.result.content, roots.roots]))] };
      }
      return inputRequired({
        inputRequests: {
          user_name: askName,
          greeting: askModel('Generate a greeting'),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await requestStates.mint('asked'),
      });
    },
  );

  server.registerTool(
    'test_input_required_result_multi_round',
    { description: 'Needs a name, then a color' },
    async ({ mcpReq }) => {
      const name = acceptedContent(mcpReq.inputResponses, 'step1', NAME);
      const color = acceptedContent(mcpReq.inputResponses, 'step2', COLOR);
      const known = mcpReq.requestState<string>();
      if (color && known) return { content: [text(`${known} likes ${color.color}`)] };
      if (name) {
        const step2 = inputRequired.elicit({
          message: 'Step 2: What is your favorite color?',
          requestedSchema: COLOR,
        });
        const requestState = await requestStates.mint(name.name);
        return inputRequired({ inputRequests: { step2 }, requestState });
      }
      const step1 = inputRequired.elicit({
        message: 'Step 1: What is your name?',
        requestedSchema: NAME,
      });
      return inputRequired({
        inputRequests: { step1 },
        requestState: await requestStates.mint(''),
      });
    },
  );
}
