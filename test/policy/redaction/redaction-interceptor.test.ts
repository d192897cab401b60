import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AgentCoreError } from '../../../src/base/errors.ts';
import {
  createErrorResponse,
  createNotification,
  createRequest,
  createRequestId,
  type JsonRpcRequest,
  type JsonRpcResponse,
  parseMessages,
  parseResult,
} from '../../../src/mcp/message.ts';
import { RedactionInterceptor } from '../../../src/policy/redaction/redaction-interceptor.ts';
import type { RedactionRules } from '../../../src/redaction/rules.ts';
import type { Vault } from '../../../src/redaction/tokens.ts';
import {
  applyInterceptors,
  type CallInfo,
  CancelledError,
  createContext,
  type RequestContext,
} from '../../../src/relay/peer.ts';
import { EncryptedVault } from '../../../src/state/files/vault-file.ts';
import { CallRecorderInterceptor } from '../../../src/telemetry/call-recorder.ts';
import {
  exchangeWith,
  requestOf,
  resultFor,
  ScriptedClient,
  ScriptedServer,
} from '../../recovery/scripted-peers.ts';
import { openJournal, temporaryFolder } from '../../state/journal/fixture.ts';
import { redactorOf } from './redaction-fixture.ts';
import { SAMPLES } from './samples.ts';

type Script = (
  request: JsonRpcRequest,
  context: RequestContext,
) => JsonRpcResponse | Promise<JsonRpcResponse>;

async function redacting(script: Script, rules: RedactionRules = {}, vault?: Vault) {
  const upstream = new ScriptedServer(script);
  const redactor = redactorOf(rules, vault);
  const interceptor = new RedactionInterceptor(() => redactor);
  return { upstream, server: applyInterceptors([interceptor], upstream) };
}

const call = (args: unknown) => requestOf('tools/call', { name: 'tool', arguments: args });
const argumentsOf = ({ params }: JsonRpcRequest) => params?.arguments;
const echo: Script = (request) => resultFor(request, { structuredContent: argumentsOf(request) });

test('the server receives tokens in the bytes and the params, and the client its own values', async () => {
  const { upstream, server } = await redacting(echo);
  const value = { to: 'me@example.com', card: 4111111111111111 };
  const response = await server.request(call(value), exchangeWith());
  expect(parseResult(response)).toEqual({ structuredContent: value });
  const [request] = upstream.requests as [JsonRpcRequest];
  expect(parseMessages(request.bytes, 'client')[0]).toEqual(request);
  expect(request.bytes.toString()).not.toMatch(/example|4111/);
});

test('a message without changes is the same object', async () => {
  const { upstream, server } = await redacting(echo);
  const request = call({ a: 1 });
  await server.request(request, exchangeWith());
  expect(upstream.requests[0]).toBe(request);
});

test('errors of the server and of the relay contain the client’s own values', async () => {
  const { server } = await redacting((request) => {
    const { to, how } = argumentsOf(request) as { to: string; how: string };
    if (how === 'throws') {
      throw new AgentCoreError('upstream', `No user ${to}`, { data: { user: to } });
    }
    return createErrorResponse(request.id, { code: -32602, message: `No ${to}`, data: [{ to }] });
  });
  const ask = (how: string) => server.request(call({ to: 'me@example.com', how }), exchangeWith());
  expect((await ask('answers')).error).toEqual({
    code: -32602,
    message: 'No me@example.com',
    data: [{ to: 'me@example.com' }],
  });
  await expect(ask('throws')).rejects.toMatchObject({
    code: 'upstream',
    message: 'No user me@example.com',
    data: { user: 'me@example.com' },
  });
});

test('progress, log messages and server requests reach the client with its values, and its answers reach the server without', async () => {
  const client = new ScriptedClient();
  const asked: JsonRpcRequest[] = [];
  client.request = async (request) => {
    asked.push(request);
    return resultFor(request, { action: 'accept', content: { phone: '+41 44 668 18 00' } });
  };
  let answered: JsonRpcResponse | undefined;
  const { server } = await redacting(async (request, { sender, signal }) => {
    const to = argumentsOf(request) as string;
    const context = createContext('to-client', { sender, signal });
    await sender.notify(
      createNotification('notifications/progress', { progressToken: 1, message: `To ${to}` }),
      context,
    );
    await sender.notify(createNotification('notifications/message', { data: { to } }), context);
    const question = createRequest(createRequestId(9), 'elicitation/create', {
      message: `Ring ${to}?`,
    });
    answered = await sender.request(question, context);
    return resultFor(request, { content: [{ type: 'text', text: `Sent to ${to}` }] });
  });
  const response = await server.request(call('me@example.com'), exchangeWith(client));
  expect(client.told.map(({ params }) => params)).toEqual([
    { progressToken: 1, message: 'To me@example.com' },
    { data: { to: 'me@example.com' } },
  ]);
  expect(asked[0]?.params).toEqual({ message: 'Ring me@example.com?' });
  expect(parseResult(answered as JsonRpcResponse)).toMatchObject({
    content: { phone: expect.stringMatching(/^<phone:/) },
  });
  expect(JSON.stringify(parseResult(response))).toContain('Sent to me@example.com');
});

test('in the stateless era, input requests of the server are handled the same way', async () => {
  const { upstream, server } = await redacting((request) =>
    resultFor(request, {
      resultType: 'input_required',
      inputRequests: {
        a: { method: 'elicitation/create', params: { message: `Is it ${argumentsOf(request)}?` } },
      },
      requestState: 'b3BhcXVlIQ',
    }),
  );
  const first = await server.request(call('me@example.com'), exchangeWith());
  expect(JSON.stringify(parseResult(first))).toContain('Is it me@example.com?');
  const again = requestOf('tools/call', {
    name: 'tool',
    arguments: 'me@example.com',
    inputResponses: { a: { action: 'accept', content: { mail: 'you@example.com' } } },
    requestState: 'b3BhcXVlIQ',
  });
  await server.request(again, exchangeWith());
  expect(upstream.requests[1]?.params).toMatchObject({ requestState: 'b3BhcXVlIQ' });
  expect(upstream.requests[1]?.bytes.toString()).not.toContain('example');
});

test('a client’s notifications, and the reason of its cancellation, are redacted', async () => {
  let reason: unknown;
  const told: string[] = [];
  const { upstream, server } = await redacting(async (_, { signal }) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    reason = signal.reason;
    throw signal.reason;
  });
  upstream.notify = async ({ bytes }) => void told.push(bytes.toString());
  await server.notify(
    createNotification('notifications/message', { text: 'me@example.com' }),
    exchangeWith(),
  );
  expect(told[0]).toMatch(/<email:[\da-f]{16}>/);

  const abort = new AbortController();
  const asking = server.request(call(1), exchangeWith(undefined, abort.signal));
  const given = createNotification('notifications/cancelled', {
    requestId: 1,
    reason: 'me@example.com has asked for it',
  });
  const cancelled = new CancelledError(given);
  // After the server has received the request.
  while (upstream.requests.length === 0) await new Promise(setImmediate);
  abort.abort(cancelled);
  await expect(asking).rejects.toBe(cancelled);
  expect((reason as CancelledError).notification?.bytes.toString()).toMatch(
    /<email:[\da-f]{16}> has/,
  );
});

describe('an unknown token', () => {
  const forged = '<email:0123456789abcdef>';

  test('fails the call that contains it, before it is sent', async () => {
    const { upstream, server } = await redacting(echo);
    await expect(server.request(call({ a: forged }), exchangeWith())).rejects.toThrow('token');
    expect(upstream.requests).toEqual([]);
  });

  test('fails the call whose answer, progress or server request contains it', async () => {
    const { server } = await redacting((request) => resultFor(request, { a: forged }));
    await expect(server.request(call(1), exchangeWith())).rejects.toThrow('token');
    const client = new ScriptedClient();
    const other = await redacting(async (request, { sender, signal }) => {
      const context = createContext('to-client', { sender, signal });
      await sender.notify(
        createNotification('notifications/progress', { message: forged }),
        context,
      );
      return resultFor(request, {});
    });
    await expect(other.server.request(call(1), exchangeWith(client))).rejects.toThrow('token');
    expect(client.told).toEqual([]);
  });
});

test('a method that is a personal address is not sent', async () => {
  const { upstream, server } = await redacting(echo);
  await expect(server.request(requestOf('me@example.com'), exchangeWith())).rejects.toThrow(
    'method',
  );
  await server.request(requestOf('tools/x_9'), exchangeWith());
  expect(upstream.methods).toEqual(['tools/x_9']);
});

test('hidden values are counted on the trail, for the audit', async () => {
  const { server } = await redacting(echo, { directions: ['arguments', 'results'] });
  const callInfo: CallInfo = { attempts: 0 };
  await server.request(call(['a@example.com', '203.0.113.7', '203.0.113.8']), {
    ...exchangeWith(),
    call: callInfo,
  });
  expect(callInfo.redactions).toEqual({ email: 1, ip: 2 });
});

test('known data of every kind is neither sent upstream nor written to a file', async () => {
  const state = await temporaryFolder();
  const vault = await EncryptedVault.open({
    folder: join(state, 'vault'),
    key: Buffer.alloc(32, 7),
  });
  const { journal } = openJournal(join(state, 'journal'));
  const seen: string[] = [];
  const upstream = new ScriptedServer((request) => {
    seen.push(request.bytes.toString());
    return echo(request, exchangeWith());
  });
  const server = applyInterceptors(
    [
      new RedactionInterceptor(() => redactorOf({}, vault)),
      new CallRecorderInterceptor(journal, true),
    ],
    upstream,
  );
  for (const sample of Object.values(SAMPLES).flat()) {
    const value = {
      alone: sample,
      [sample]: [{ deep: `It is ${sample}, yes` }],
      json: JSON.stringify({ a: sample }),
      base64: Buffer.from(`It is ${sample}, yes`).toString('base64'),
    };
    const response = await server.request(call(value), exchangeWith());
    expect(parseResult(response)).toEqual({ structuredContent: value });
  }
  await journal.close();
  await vault.close();

  const files: string[] = [];
  for (const entry of await readdir(state, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) files.push(await readFile(join(entry.parentPath, entry.name), 'utf8'));
  }
  expect(files.length).toBeGreaterThan(1);
  const everything = [...seen, ...files].join('\n');
  for (const sample of Object.values(SAMPLES).flat()) {
    for (const form of [
      sample,
      JSON.stringify(sample).slice(1, -1),
      Buffer.from(`It is ${sample}, yes`).toString('base64'),
    ]) {
      expect(everything).not.toContain(form);
    }
  }
});
