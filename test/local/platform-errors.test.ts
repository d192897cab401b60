import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { PlatformErrorKind } from '../../src/local/config/faults.ts';
import {
  httpAgent,
  INITIALIZE,
  INVENTED_ID,
  openSession,
  poster,
  RUNTIME_SESSION,
  read,
  signingFetch,
  start,
  statefulMcp,
  statelessMcp,
  toolCall,
} from './harness.ts';

describe('an MCP runtime', () => {
  test.each<[PlatformErrorKind, number, number, string]>([
    ['unauthorized', 401, -32001, 'Authentication error - Invalid credentials'],
    ['access-denied', 403, -32002, 'Authorization error - Insufficient permissions'],
    ['throttled', 200, -32003, 'Rate limit exceeded - Too many requests'],
    ['quota-exceeded', 200, -32003, 'Rate limit exceeded - Too many requests'],
    ['not-found', 200, -32004, 'Resource not found - Requested resource does not exist'],
    ['conflict', 200, -32005, 'Resource conflict - Resource already exists'],
    ['retryable-conflict', 200, -32005, 'Session operation in progress, please retry'],
    ['validation', 200, -32006, 'Validation error - Invalid request data'],
    [
      'container-failed',
      200,
      -32010,
      'Tool execution error - Please check your CloudWatch logs for more information',
    ],
    ['internal', 200, -32603, 'Internal error - Server error'],
  ])('returns %s as documented', async (error, status, code, message) => {
    const local = await start({ notes: statelessMcp() });
    local.faults.inject({ kind: 'platform-error', error });
    const sent = await read(poster(local, 'notes')(toolCall('echo')));
    expect(sent).toMatchObject({
      status,
      json: { jsonrpc: '2.0', id: 2, error: { code, message } },
    });
    expect(sent.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each(['application/json', 'text/event-stream', 'text/html'])(
    'rejects Accept: %s',
    async (accept) => {
      const local = await start({ notes: statelessMcp() });
      const sent = await read(poster(local, 'notes')(INITIALIZE, { accept }));
      expect(sent).toMatchObject({ status: 406, json: { error: { code: -32011 } } });
    },
  );

  test('returns platform errors with their HTTP status if the switch is set', async () => {
    const local = await start({ notes: statelessMcp({ switches: { mcpErrors: 'status' } }) });
    local.faults.inject({ kind: 'throttle', retryAfter: 2 });
    const sent = await read(poster(local, 'notes')(toolCall('echo')));
    expect(sent).toMatchObject({ status: 429, json: { message: expect.any(String) } });
    expect(sent.headers.get('x-amzn-errortype')).toBe('ThrottlingException');
    expect(sent.headers.get('retry-after')).toBe('2');
  });

  test('uses the configured throttling error', async () => {
    const local = await start({
      notes: statelessMcp({
        switches: { throttleText: 'Rate exceeded', maxInvocationsPerSecond: 1 },
      }),
    });
    const post = poster(local, 'notes');
    const answers = await Promise.all([read(post(INITIALIZE)), read(post(INITIALIZE))]);
    const throttled = answers.find(({ json }) => json.error);
    expect(throttled?.json.error).toEqual({ code: -32003, message: 'Rate exceeded' });
  });

  test('limits new sessions per minute', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { maxNewSessionsPerMinute: 1 } }),
    });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    expect((await read(post(INITIALIZE))).json.error?.code).toBe(-32003);
    expect((await read(post(toolCall('echo'), session))).json.error).toBeUndefined();
  });

  test('rejects a microVM beyond the limit', async () => {
    const local = await start({ notes: statelessMcp({ switches: { maxVms: 1 } }) });
    const post = poster(local, 'notes');
    await read(post(INITIALIZE));
    expect((await read(post(INITIALIZE))).json.error?.code).toBe(-32003);
  });

  test('returns a server’s 5xx as a failed container, and forwards its 4xx', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const broken = await read(post(toolCall('fail', { status: 500 }), session));
    expect(broken).toMatchObject({ status: 200, json: { id: 2, error: { code: -32010 } } });
    const refused = await read(post(toolCall('fail', { status: 422 }), session));
    expect(refused).toMatchObject({ status: 422, text: 'no' });
  });

  test('returns a 4xx as a failed container as well if the switch is set', async () => {
    const local = await start({
      notes: statelessMcp({ switches: { containerClientErrors: 'wrap' } }),
    });
    const sent = await read(poster(local, 'notes')(toolCall('fail', { status: 422 })));
    expect(sent.json.error?.code).toBe(-32010);
  });

  test('returns an unknown endpoint as a JSON-RPC error', async () => {
    const local = await start({ notes: statelessMcp() });
    const url = local.runtime('notes').invocationUrl.replace('DEFAULT', 'NOWHERE');
    const headers = { 'content-type': 'application/json' };
    const sent = await read(
      signingFetch(local)(url, { method: 'POST', headers, body: JSON.stringify(INITIALIZE) }),
    );
    expect(sent).toMatchObject({ status: 200, json: { id: 1, error: { code: -32004 } } });
  });
});

describe('an HTTP runtime', () => {
  test('returns the error of its agent', async () => {
    const local = await start({ agent: httpAgent() });
    const sent = await read(poster(local, 'agent')({ fail: 500 }));
    expect(sent).toMatchObject({
      status: 424,
      json: { message: expect.stringContaining('Received error (500) from runtime') },
    });
    expect(sent.headers.get('x-amzn-errortype')).toBe('RuntimeClientError');
  });

  test('returns the quota error of the account', async () => {
    const local = await start({ agent: httpAgent({ switches: { maxVms: 1 } }) });
    const post = poster(local, 'agent');
    await read(post({}));
    expect(await read(post({}))).toMatchObject({
      status: 402,
      json: { message: 'maxVms limit exceeded for account 123456789012' },
    });
  });
});

describe('every runtime', () => {
  test.each([32, 257])('rejects a runtime session id of %i characters', async (length) => {
    const local = await start({ agent: httpAgent(), notes: statelessMcp() });
    const id = { [RUNTIME_SESSION]: 'a'.repeat(length) };
    expect((await read(poster(local, 'agent')({}, id))).status).toBe(400);
    expect((await read(poster(local, 'notes')(INITIALIZE, id))).json.error?.code).toBe(-32006);
  });

  test.each([33, 256])('accepts a runtime session id of %i characters', async (length) => {
    const local = await start({ agent: httpAgent() });
    const id = { [RUNTIME_SESSION]: 'a'.repeat(length) };
    expect((await read(poster(local, 'agent')({}, id))).status).toBe(200);
  });

  test('rejects too many or too long custom headers', async () => {
    const local = await start({ agent: httpAgent() });
    const name = (n: number) => `x-amzn-bedrock-agentcore-runtime-custom-${n}`;
    const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [name(n), 'v']));
    expect((await read(poster(local, 'agent')({}, many))).status).toBe(400);
    const long = { [name(1)]: 'v'.repeat(4097) };
    expect((await read(poster(local, 'agent')({}, long))).status).toBe(400);
  });

  test('has no GET and no DELETE on /invocations', async () => {
    const local = await start({
      agent: httpAgent(),
      hidden: httpAgent({ switches: { unmodelledMethodStatus: 404 } }),
    });
    const signed = signingFetch(local);
    for (const method of ['GET', 'DELETE']) {
      expect((await signed(local.runtime('agent').invocationUrl, { method })).status).toBe(405);
      expect((await signed(local.runtime('hidden').invocationUrl, { method })).status).toBe(404);
    }
  });

  test('rejects a body over 100 MB and continues to work', async () => {
    const local = await start({ notes: statefulMcp() });
    const { port, pathname } = new URL(local.runtime('notes').invocationUrl);
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    const answer = new Promise<string>((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
        if (text.includes('\r\n\r\n')) resolve(text);
      });
      socket.on('error', reject);
    });
    socket.write(
      `POST ${pathname} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000001\r\n\r\n`,
    );
    const chunk = Buffer.alloc(1_000_001, 'x');
    for (let n = 0; n < 100; n += 1) {
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    expect(await answer).toContain('-32006');
    socket.destroy();
    expect((await read(poster(local, 'notes')(INITIALIZE))).status).toBe(200);
  });

  test('keeps secrets out of its request log', async () => {
    const local = await start({ agent: httpAgent() });
    await read(poster(local, 'agent')({}, { [RUNTIME_SESSION]: INVENTED_ID }));
    const [request] = local.requests;
    expect(request).toMatchObject({
      operation: 'invoke',
      runtime: 'agent',
      status: 200,
      headers: { [RUNTIME_SESSION]: INVENTED_ID },
    });
    expect(request?.headers).not.toHaveProperty('authorization');
  });

  test('answers requests for no known service with 404', async () => {
    const local = await start({ agent: httpAgent() });
    for (const path of ['/nothing', '/runtimes/x/commands', '/gateways/']) {
      expect((await fetch(`${local.url}${path}`, { method: 'POST' })).status).toBe(404);
    }
  });
});
