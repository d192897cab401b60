import { expect, it } from 'vitest';
import type { JsonObject, JsonRpcNotification } from '../../src/mcp/message.ts';
import { parseElicitationSupport } from '../../src/mcp/protocol.ts';
import { Conversation } from '../../src/relay/conversation.ts';
import { applyInterceptors, createContext } from '../../src/relay/peer.ts';
import { errorFor, requestOf, resultFor, ScriptedClient } from '../recovery/scripted-peers.ts';

/** A conversation with a server that fails requests with `fails`, and the client's messages. */
function converse() {
  const received: JsonRpcNotification[] = [];
  let isStuck = false;
  const client = new ScriptedClient();
  client.notify = async (notification) => {
    received.push(notification);
    if (isStuck) await new Promise(() => undefined);
  };
  const conversation = new Conversation('id', client);
  const server = applyInterceptors([conversation], {
    request: async (request) =>
      request.params?.fails ? errorFor(request, -1, 'no') : resultFor(request, {}),
    notify: async () => undefined,
  });
  return {
    conversation,
    received: () => received.map(({ params }) => params?.data),
    block: () => {
      isStuck = true;
    },
    send: (method: string, params: JsonObject) =>
      server.request(requestOf(method, params), createContext('to-server', { sender: client })),
  };
}

it('reads the capabilities of a client only if the server accepts initialize', async () => {
  const { conversation, send } = converse();
  await send('initialize', { capabilities: { elicitation: {} }, fails: true });
  expect(conversation.elicitation).toEqual({ form: false, url: false });
  await send('initialize', { capabilities: { elicitation: {} } });
  expect(conversation.elicitation).toEqual({ form: true, url: false });
  await send('initialize', { capabilities: {} });
  expect(conversation.elicitation).toEqual({ form: false, url: false });
});

it.each([
  [undefined, false, false],
  [{}, false, false],
  [{ elicitation: {} }, true, false],
  [{ elicitation: { form: {} } }, true, false],
  [{ elicitation: { url: {} } }, false, true],
  [{ elicitation: { form: {}, url: {} } }, true, true],
])('reads the modes of elicitation from the capabilities %j', (capabilities, form, url) => {
  expect(parseElicitationSupport(capabilities)).toEqual({ form, url });
});

it('sends log messages at the level of the client, once it is initialized', async () => {
  const { conversation, received, send } = converse();
  conversation.log('error', 'before');
  await send('initialize', {});
  conversation.log('debug', 'detail');
  conversation.log('info', 'info');
  await send('logging/setLevel', { level: 'error', fails: true });
  conversation.log('info', 'again');
  await send('logging/setLevel', { level: 'error' });
  conversation.log('warning', 'warning');
  conversation.log('error', 'error');
  expect(received()).toEqual(['info', 'again', 'error']);
});

it('drops log messages when the client does not read', async () => {
  const { conversation, received, block, send } = converse();
  await send('initialize', {});
  block();
  for (let count = 0; count < 1_000; count++) conversation.log('error', 'message');
  expect(received().length).toBeLessThanOrEqual(100);
});
