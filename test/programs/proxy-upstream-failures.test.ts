import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Line, RUNTIME_ARN, startProxy } from '../fixtures/proxy-process.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';

/**
 * Answers one call with this response, on every attempt, and all others normally. Resolves with the
 * proxy's answer.
 */
async function callOnce(
  script: (seen: Seen) => void,
  env: Record<string, string> = {},
): Promise<Line> {
  const upstream = await startUpstream((seen) => {
    if (!isCall(seen)) return false;
    if (isCall(seen, 'first')) script(seen);
    else result(seen, { fine: true });
    return true;
  });
  const proxy = startProxy(upstream.url, { AGENTCORE_RETRIES: '0', ...env });
  await proxy.initialize();
  const answer = await proxy.call('first');
  // The failure affects that call alone.
  expect((await proxy.call('second')).result).toEqual({ fine: true });
  expect(proxy.noise).toEqual([]);
  expect(proxy.lines.filter(({ id }) => id === answer.id)).toHaveLength(1);
  return answer;
}

const send =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  (seen: Seen) => {
    seen.response.writeHead(status, { 'x-amzn-requestid': 'request-1', ...headers }).end(body);
  };

const awsError = (status: number, name: string, message: string) =>
  send(status, JSON.stringify({ message }), {
    'content-type': 'application/json',
    'x-amzn-errortype': `${name}:http://internal.amazon.com/`,
  });

describe('an invalid answer becomes one error', () => {
  it.each<[string, (seen: Seen) => void, RegExp]>([
    ['an empty 200', send(200, ''), /ended \(HTTP 200\) without a response.*CloudWatch/],
    ['a 202 to a request', send(202, ''), /without a response/],
    [
      'broken JSON',
      send(200, '{"jsonrpc":', { 'content-type': 'application/json' }),
      /no MCP message.*not JSON/,
    ],
    [
      'HTML',
      send(200, '<html>Sign in</html>', { 'content-type': 'text/html' }),
      /no MCP message.*text\/html/,
    ],
    [
      'JSON that is not a message',
      send(200, '{"ok":true}', { 'content-type': 'application/json' }),
      /no MCP message/,
    ],
    [
      'a broken event',
      send(200, 'data: {\n\n', { 'content-type': 'text/event-stream' }),
      /no MCP message/,
    ],
    [
      'an empty stream',
      send(200, '', { 'content-type': 'text/event-stream' }),
      /without a response/,
    ],
    [
      'an answer to another request',
      send(200, '{"jsonrpc":"2.0","id":999,"result":{}}', { 'content-type': 'application/json' }),
      /without a response/,
    ],
    [
      'a redirect',
      send(302, '', { location: 'http://elsewhere' }),
      /unexpected status \(HTTP 302\)/,
    ],
    ['a 404 without a body', send(404, ''), /does not find.*\(HTTP 404\).*check the ARN/],
    [
      'a 500 with HTML',
      send(500, '<h1>Oops</h1>', { 'content-type': 'text/html' }),
      /failed \(HTTP 500\).*outcome|failed \(HTTP 500\).*unknown/,
    ],
    ['a 502 without a body', send(502, ''), /HTTP 502/],
    ['a 504', send(504, 'Gateway Timeout'), /HTTP 504/],
  ])('%s', async (_, script, sentence) => {
    const { error } = await callOnce(script);
    expect(error.message).toMatch(sentence);
    expect(error.data.requestId).toBe('request-1');
    expect(error.data.status).toEqual(expect.any(Number));
    // Only errors in AgentCore's model prove that the call did not run.
    const isRefused = error.data.status === 404;
    expect(error.data.outcome).toBe(isRefused ? 'refused' : 'unknown');
    if (!isRefused) expect(error.message).toMatch(/took effect is unknown/);
  });

  it.each<[number, string, number, RegExp]>([
    [400, 'ValidationException', -32006, /invalid/],
    [401, 'UnauthorizedException', -32001, /JWT/],
    [402, 'ServiceQuotaExceededException', -32003, /quota/],
    [403, 'AccessDeniedException', -32002, /bedrock-agentcore:InvokeAgentRuntime/],
    [403, 'ExpiredTokenException', -32002, /expired.*sign in again/],
    [403, 'InvalidSignatureException', -32002, /clock/],
    [403, 'UnrecognizedClientException', -32002, /access key/],
    [404, 'ResourceNotFoundException', -32004, /check the ARN/],
    [409, 'RetryableConflictException', -32005, /try again/],
    [424, 'RuntimeClientError', -32010, /CloudWatch/],
    [429, 'ThrottlingException', -32003, /throttling.*later/],
    [500, 'InternalServerException', -32603, /unknown/],
  ])('%i %s, with the AWS message and the next step', async (status, name, code, sentence) => {
    const { error } = await callOnce(awsError(status, name, 'AWS said so'));
    expect(error).toMatchObject({
      code,
      data: { name, status, requestId: 'request-1', runtime: RUNTIME_ARN, reason: 'upstream' },
    });
    expect(error.message).toMatch(sentence);
    expect(error.message).toContain('AWS said so');
  });

  it('a stream that is cut in the middle', async () => {
    const { error } = await callOnce((seen) => {
      stream(seen)({
        jsonrpc: '2.0',
        method: 'notifications/message',
        params: { level: 'info', data: 1 },
      });
      setImmediate(() => seen.response.destroy());
    });
    expect(error.message).toMatch(/closed the connection.*unknown/);
  });

  it('a body that is cut in the middle', async () => {
    const { error } = await callOnce((seen) => {
      seen.response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': '1000',
      });
      seen.response.write('{"jsonrpc":"2.0",');
      setImmediate(() => seen.response.destroy());
    });
    expect(error.message).toMatch(/closed the connection/);
  });

  it('a reset before any answer', async () => {
    const { error } = await callOnce((seen) => seen.response.socket?.resetAndDestroy());
    expect(error).toMatchObject({
      code: -32000,
      data: { reason: 'connection', error: 'ECONNRESET' },
    });
    expect(error.message).toMatch(/unknown/);
  });

  it('silence beyond the read timeout, before the headers and in a stream', async () => {
    const env = { AGENTCORE_READ_TIMEOUT: '3.5' };
    const { error } = await callOnce(() => undefined, env);
    expect(error.data.reason).toBe('timeout');
    expect(error.message).toMatch(/silent for 3.5 s.*AGENTCORE_READ_TIMEOUT/);
    const late = await callOnce((seen) => {
      stream(seen)({
        jsonrpc: '2.0',
        method: 'notifications/message',
        params: { level: 'info', data: 1 },
      });
    }, env);
    expect(late.error.data.reason).toBe('timeout');
  });

  it('a refused connection', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const proxy = startProxy(`http://127.0.0.1:${port}`);
    const { error } = await proxy.request('tools/list');
    expect(error).toMatchObject({ code: -32000, data: { error: 'ECONNREFUSED' } });
    expect(error.message).toMatch(/nothing listens there/);
  });

  it('a name that does not resolve', async () => {
    const proxy = startProxy('http://no-such-host.invalid');
    const { error } = await proxy.request('tools/list');
    expect(error.data.error).toMatch(/ENOTFOUND|EAI_AGAIN/);
    expect(error.message).toContain('does not resolve');
  });
});

describe('an error of the server itself', () => {
  it('with a 4xx status arrives unchanged', async () => {
    const answer = await callOnce((seen) =>
      json(
        seen.response,
        {
          jsonrpc: '2.0',
          id: seen.message.id,
          error: { code: -32022, message: 'version', data: { supported: ['x'] } },
        },
        400,
      ),
    );
    expect(answer.error).toEqual({ code: -32022, message: 'version', data: { supported: ['x'] } });
  });

  it('without a request id is the answer to the only request, with the facts', async () => {
    const answer = await callOnce((seen) =>
      json(
        seen.response,
        { jsonrpc: '2.0', id: null, error: { code: -32000, message: 'Server not initialized' } },
        400,
      ),
    );
    expect(answer.error).toMatchObject({
      code: -32000,
      message: 'Server not initialized',
      data: { status: 400 },
    });
  });

  it('within a 200 arrives unchanged, with its missing id filled in', async () => {
    const answer = await callOnce((seen) =>
      json(seen.response, {
        jsonrpc: '2.0',
        id: null,
        error: { code: -32010, message: 'Tool execution error' },
      }),
    );
    expect(answer.error).toEqual({ code: -32010, message: 'Tool execution error' });
  });
});

describe('silence during a server request', () => {
  it('does not count towards the read timeout', async () => {
    const upstream = await startUpstream((seen) => {
      if (isCall(seen)) {
        stream(seen)({ jsonrpc: '2.0', id: 1, method: 'elicitation/create', params: {} });
        return true;
      }
      if (!seen.message || !('result' in seen.message)) return false;
      const call = upstream.seen.find((other) => isCall(other)) as Seen;
      call.response.end(
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: call.message.id, result: {} })}\n\n`,
      );
      return false;
    });
    const proxy = startProxy(upstream.url, { AGENTCORE_READ_TIMEOUT: '5' });
    await proxy.initialize();
    const id = proxy.begin('tools/call', { name: 'ask' });
    const asked = await proxy.next('the question', (line) => line.method === 'elicitation/create');
    // Another call times out meanwhile, which proves that more than the timeout has passed.
    const other = proxy.begin('silent/method');
    expect((await proxy.answerTo(other)).error.data.reason).toBe('timeout');
    proxy.send({ jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } });
    expect((await proxy.answerTo(id)).result).toEqual({});
  });
});
