import { EventSourceParserStream } from 'eventsource-parser/stream';
import { describe, expect, test } from 'vitest';
import {
  httpAgent,
  INITIALIZE,
  openSession,
  poster,
  read,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
  toolText,
} from './harness.ts';

async function firstEvents(response: Response, count: number) {
  const events = response.body
    ?.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  const seen: { readonly method?: string; readonly id?: string | number }[] = [];
  while (events && seen.length < count) {
    const { value, done } = await events.read();
    if (done) break;
    seen.push(JSON.parse(value.data));
  }
  return { seen, events };
}

describe('an answer', () => {
  test('is forwarded byte for byte, with only the content headers of the container', async () => {
    const local = await start({ notes: statelessMcp() });
    const sent = await read(poster(local, 'notes')(toolCall('stream', { events: 2 })));
    expect(sent.text).toBe(
      [1, 2]
        .map(
          (n) =>
            `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{"data":${n}}}\n\n`,
        )
        .join('') +
        'event: message\ndata: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"done"}]}}\n\n',
    );
    expect(sent.headers.get('content-type')).toBe('text/event-stream');
    const json = await read(poster(local, 'notes')(toolCall('echo', { text: 'x' })));
    expect(json.headers.get('x-of-the-container')).toBeNull();
  });

  test('of many megabytes arrives completely', async () => {
    const local = await start({ notes: statelessMcp() });
    const sent = await read(poster(local, 'notes')(toolCall('big', { bytes: 20_000_000 })));
    expect(toolText(sent)).toHaveLength(20_000_000);
  });

  test('is streamed event by event while the container still works', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const open = await post(toolCall('ask'), session);
    const { seen, events } = await firstEvents(open, 1);
    expect(seen[0]?.method).toBe('sampling/createMessage');
    const answer = { jsonrpc: '2.0', id: seen[0]?.id, result: { text: 'from the client' } };
    const accepted = await read(post(answer, session));
    expect(accepted.status).toBe(202);
    const { value } = (await events?.read()) ?? {};
    expect(value?.data).toContain('from the client');
  });

  test('that is a stream begins before its first event', async () => {
    const local = await start({ notes: statelessMcp() });
    const leave = new AbortController();
    const message = toolCall('stream', { events: 0, thenHang: true });
    const response = await poster(local, 'notes')(message, {}, { signal: leave.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    leave.abort();
  });

  test('to a notification is 202 without a body or content type', async () => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const sent = await read(post({ jsonrpc: '2.0', method: 'notifications/initialized' }, session));
    expect(sent).toMatchObject({ status: 202, text: '' });
    expect(sent.headers.get('content-type')).toBeNull();
  });

  test('to a notification is 204 if the switch is set', async () => {
    const local = await start({ notes: statelessMcp({ switches: { notificationStatus: 204 } }) });
    const sent = await read(poster(local, 'notes')({ jsonrpc: '2.0', method: 'notifications/x' }));
    expect(sent).toMatchObject({ status: 204, text: '' });
  });

  test('carries the trace ids of its request, or a new one', async () => {
    const local = await start({ agent: httpAgent() });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { headers } = await read(poster(local, 'agent')({}, { traceparent }));
    expect(headers.get('traceparent')).toBe(traceparent);
    expect(headers.get('x-amzn-trace-id')).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/);
  });
});

describe('a client that disconnects', () => {
  test.each([
    ['a stream', toolCall('stream', { events: 1, thenHang: true })],
    ['an answer that has not begun', toolCall('hang')],
  ])('in the middle of %s ends the request to the container', async (_, message) => {
    const local = await start({ notes: statefulMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const leave = new AbortController();
    const call = post(message, session, { signal: leave.signal });
    call.catch(() => {});
    if (message.params.name === 'stream') await firstEvents(await call, 1);
    await local.until(() => local.sessions()[0]?.invocations === 2);
    leave.abort();
    await local.until(() => local.requests.at(-1)?.outcome === 'disconnected');
    await local.until(() => local.sessions()[0]?.inFlight === 0);
    const asked = async () => JSON.parse(toolText(await read(post(toolCall('report'), session))));
    // The container learns of it from its socket a moment later, so the test polls.
    await expect.poll(async () => (await asked()).abandoned).toBe(1);
    expect(local.sessions()).toMatchObject([{ state: 'Idle', incarnations: 1 }]);
  });
});

test('a silent stream is cut if the switch is set', async () => {
  const local = await start({ notes: statelessMcp({ switches: { cutSilentStreamsAfter: 50 } }) });
  const response = await poster(local, 'notes')(toolCall('stream', { events: 1, thenHang: true }));
  await expect(response.text()).rejects.toThrow();
  expect(local.requests.at(-1)).toMatchObject({ outcome: 'cut', status: 200 });
});

test('an answer that takes longer than allowed is abandoned', async () => {
  const local = await start({ notes: statelessMcp({ switches: { synchronousLimit: 0.3 } }) });
  const sent = await read(poster(local, 'notes')(toolCall('hang')));
  expect(sent.json.error?.code).toBe(-32010);
});

test('a stream that takes longer than allowed is cut', async () => {
  const local = await start({ notes: statelessMcp({ switches: { streamingLimit: 0.3 } }) });
  const response = await poster(local, 'notes')(toolCall('stream', { events: 1, thenHang: true }));
  await expect(response.text()).rejects.toThrow();
});

test('concurrent calls all get their own answers', async () => {
  const local = await start({ notes: statefulMcp() });
  const post = poster(local, 'notes');
  const session = await openSession(post);
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, n) =>
      toolText(await read(post(toolCall('echo', { text: `${n}` }, n), session))),
    ),
  );
  expect(answers).toEqual(Array.from({ length: 200 }, (_, n) => `${n}`));
  expect(local.sessions()).toMatchObject([{ invocations: 201, inFlight: 0 }]);
});

test('a container gets the headers of the contract, custom and allowed ones, and no others', async () => {
  const local = await start({
    notes: statelessMcp({ requestHeaderAllowlist: ['X-Tenant'] }),
    strict: statelessMcp({ switches: { forwardMcpParamHeaders: false } }),
  });
  const headers = {
    'x-tenant': 't1',
    'x-other': 'no',
    'mcp-method': 'tools/call',
    'mcp-name': 'headers',
    'mcp-param-city': 'Bern',
    'x-amzn-bedrock-agentcore-runtime-custom-color': 'red',
  };
  const seen = JSON.parse(
    toolText(await read(poster(local, 'notes')(toolCall('headers'), headers))),
  );
  expect(seen).toMatchObject({
    'x-tenant': 't1',
    'mcp-method': 'tools/call',
    'mcp-name': 'headers',
    'mcp-param-city': 'Bern',
    'x-amzn-bedrock-agentcore-runtime-custom-color': 'red',
    accept: 'application/json, text/event-stream',
  });
  for (const absent of ['x-other', 'authorization', 'x-amz-date']) {
    expect(seen).not.toHaveProperty(absent);
  }
  const strict = JSON.parse(
    toolText(await read(poster(local, 'strict')(toolCall('headers'), headers))),
  );
  expect(strict).not.toHaveProperty('mcp-param-city');
  expect((await read(poster(local, 'notes')(INITIALIZE))).status).toBe(200);
});
