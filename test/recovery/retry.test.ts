import { describe, expect, it } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import {
  createNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../../src/mcp/message.ts';
import { RetryInterceptor, type RetryOptions } from '../../src/recovery/retry.ts';
import {
  applyInterceptors,
  CancelledError,
  createContext,
  type RequestContext,
} from '../../src/relay/peer.ts';
import { ToolCatalog } from '../../src/relay/tool-catalog.ts';
import {
  callOf,
  errorFor,
  exchangeWith,
  requestOf,
  resultFor,
  ScriptedClient,
  ScriptedServer,
} from './scripted-peers.ts';

type Failure = (request: JsonRpcRequest) => JsonRpcResponse;

const throws =
  (code: 'connection' | 'timeout' | 'upstream', data: Record<string, unknown>): Failure =>
  () => {
    throw new AgentCoreError(code, 'It failed', { data });
  };
const status = (status: number, outcome: string, more: Record<string, unknown> = {}) =>
  throws('upstream', { status, outcome, ...more });
const says =
  (code: number, message: string): Failure =>
  (request) =>
    errorFor(request, code, message);

const THROTTLED = says(-32003, 'Rate limit exceeded - Too many requests');
const RESET = throws('connection', { error: 'ECONNRESET', outcome: 'unknown' });
const REFUSED = throws('connection', { error: 'ECONNREFUSED', outcome: 'not sent' });

const TOOLS = {
  tools: [
    { name: 'read', annotations: { readOnlyHint: true } },
    { name: 'put', annotations: { readOnlyHint: false, idempotentHint: true } },
    { name: 'append', annotations: { readOnlyHint: false, destructiveHint: false } },
    { name: 'plain' },
  ],
};

/** A server behind a {@link Retry} with listed tools and minimal random numbers. */
async function retrying(
  script: (
    request: JsonRpcRequest,
    context: RequestContext,
  ) => JsonRpcResponse | Promise<JsonRpcResponse>,
  options: Partial<RetryOptions> = {},
) {
  const server = new ScriptedServer((request, context) =>
    request.method === 'tools/list' && !options.tools
      ? resultFor(request, TOOLS)
      : script(request, context),
  );
  const tools = options.tools ?? new ToolCatalog();
  const retry = new RetryInterceptor({
    maxRetries: 4,
    timeoutMs: 10_000,
    tools,
    log: () => undefined,
    random: () => 0,
    ...options,
  });
  const peer = applyInterceptors([retry, tools], server);
  if (!options.tools) await peer.request(requestOf('tools/list'), exchangeWith());
  server.methods.length = 0;
  server.requests.length = 0;
  return { server, peer };
}

/** Fails once with `failure`, and then succeeds. */
function once(failure: Failure) {
  let failed = false;
  return (request: JsonRpcRequest) => {
    if (failed) return resultFor(request, { fine: true });
    failed = true;
    return failure(request);
  };
}

async function attemptsAt(name: string, failure: Failure): Promise<number> {
  const { server, peer } = await retrying(once(failure));
  await peer.request(callOf(name), exchangeWith()).catch(() => undefined);
  return server.requests.length;
}

describe.concurrent('a failed call is sent again', () => {
  // The last two columns: whether any tool may be sent again, and whether a read-only tool may.
  it.each<[string, Failure, boolean, boolean]>([
    ['a refused connection', REFUSED, true, true],
    [
      'a name that does not resolve',
      throws('connection', { error: 'ENOTFOUND', outcome: 'not sent' }),
      true,
      true,
    ],
    ['a connection that took too long', throws('timeout', { outcome: 'not sent' }), true, true],
    [
      'an untrusted certificate',
      throws('connection', { error: 'SELF_SIGNED_CERT_IN_CHAIN', outcome: 'not sent' }),
      false,
      false,
    ],
    ['429', status(429, 'refused'), true, true],
    ['409, retryable', status(409, 'refused', { name: 'RetryableConflictException' }), true, true],
    ['409, a conflict', status(409, 'refused', { name: 'ConflictException' }), false, false],
    ['424 of the start', status(424, 'refused'), true, true],
    ['402', status(402, 'refused'), false, false],
    ['403', status(403, 'refused'), false, false],
    ['400', status(400, 'refused'), false, false],
    ['424 of the container', status(424, 'unknown'), false, true],
    ['500', status(500, 'unknown'), false, true],
    ['502', status(502, 'unknown'), false, true],
    ['503', status(503, 'unknown'), false, true],
    ['504', status(504, 'unknown'), false, true],
    ['a reset connection', RESET, false, true],
    ['silence until the read timeout', throws('timeout', { outcome: 'unknown' }), false, false],
    ['the platform’s throttling', THROTTLED, true, true],
    [
      'the platform’s retryable conflict',
      says(-32005, 'Session operation in progress, please retry'),
      true,
      true,
    ],
    [
      'the platform’s conflict',
      says(-32005, 'Resource conflict - Resource already exists'),
      false,
      false,
    ],
    [
      'the platform’s start that took too long',
      says(-32010, 'Runtime initialization time exceeded. Please make sure it starts in 30s'),
      true,
      true,
    ],
    [
      'the platform’s failed container',
      says(-32010, 'Tool execution error - Please check your CloudWatch logs for more information'),
      false,
      true,
    ],
    ['the platform’s internal error', says(-32603, 'Internal error - Server error'), false, true],
    // The platform's code for throttling: read-only calls are sent again with any message.
    ['-32003 in other words', says(-32003, 'Rate exceeded'), false, true],
    [
      '429 with an error of the server',
      (request) => ({ ...errorFor(request, -32000, 'Slow down'), httpStatus: 429 }),
      false,
      true,
    ],
    ['the server’s own -32005', says(-32005, 'Version conflict, please retry'), false, false],
    ['the server’s own -32010', says(-32010, 'The printer is on fire'), false, false],
    ['the server’s own -32603', says(-32603, 'Division by zero'), false, false],
    [
      'the platform’s words in the middle of the server’s',
      says(-32005, 'Upstream said: Session operation in progress, please retry'),
      false,
      false,
    ],
    [
      'the platform’s words under another code',
      says(-32000, 'Rate limit exceeded - Too many requests'),
      false,
      false,
    ],
  ])('after %s', async (_, failure, anyTool, readOnlyTool) => {
    const attempts = { plain: anyTool ? 2 : 1, read: readOnlyTool ? 2 : 1 };
    expect({
      plain: await attemptsAt('plain', failure),
      read: await attemptsAt('read', failure),
    }).toEqual(attempts);
  });

  it.each([
    ['read', 2],
    ['put', 2],
    ['append', 1],
    ['plain', 1],
    ['never-listed', 1],
  ])('after a broken connection, if its annotations allow it: %s', async (name, attempts) => {
    expect(await attemptsAt(name, RESET)).toBe(attempts);
  });

  it.each([
    ['initialize', 2],
    ['ping', 2],
    ['tools/list', 2],
    ['resources/read', 2],
    ['prompts/get', 2],
    ['completion/complete', 2],
    ['logging/setLevel', 2],
    ['resources/subscribe', 2],
    ['sampling/createMessage', 1],
    ['tasks/cancel', 1],
    ['vendor/method', 1],
  ])('after a broken connection, if its method allows it: %s', async (method, attempts) => {
    const { server, peer } = await retrying(once(RESET), { tools: new ToolCatalog() });
    await peer.request(requestOf(method), exchangeWith()).catch(() => undefined);
    expect(server.requests).toHaveLength(attempts);
  });

  it('up to its limit, regardless of earlier attempts while the service was busy', async () => {
    const busy = says(-32005, 'Session operation in progress, please retry');
    const failures = [busy, busy, busy, RESET, RESET, RESET];
    const { server, peer } = await retrying(
      (request) => failures.shift()?.(request) ?? resultFor(request, { fine: true }),
      { maxRetries: 3 },
    );
    expect((await peer.request(callOf('read'), exchangeWith())).error).toBeUndefined();
    expect(server.requests).toHaveLength(7);
  });

  it('according to the latest list of its tool', async () => {
    const tools = new ToolCatalog();
    let annotations: object = { readOnlyHint: true };
    const { server, peer } = await retrying(
      (request) =>
        request.method === 'tools/list'
          ? resultFor(request, { tools: [{ name: 'x', annotations }] })
          : RESET(request),
      { tools },
    );
    await peer.request(requestOf('tools/list'), exchangeWith());
    annotations = {};
    await peer.request(requestOf('tools/list'), exchangeWith());
    await expect(peer.request(callOf('x'), exchangeWith())).rejects.toThrow();
    expect(server.count('tools/call')).toBe(1);
  });

  it('not after a message of the server on its stream', async () => {
    const { server, peer } = await retrying(async (request, { sender, signal }) => {
      const working = createNotification('notifications/message', {
        level: 'info',
        data: 'working',
      });
      await sender.notify(working, createContext('to-client', { sender, signal }));
      return THROTTLED(request);
    });
    const answer = await peer.request(callOf('plain'), exchangeWith());
    expect(answer.error?.code).toBe(-32003);
    expect(server.requests).toHaveLength(1);
  });

  it('not after a server request to the client, even if it is read-only', async () => {
    const { server, peer } = await retrying(async (request, { sender, signal }) => {
      await sender.request(
        requestOf('elicitation/create'),
        createContext('to-client', { sender, signal }),
      );
      return RESET(request);
    });
    await expect(peer.request(callOf('read'), exchangeWith())).rejects.toThrow();
    expect(server.requests).toHaveLength(1);
  });

  it('without progress that decreases', async () => {
    let attempt = 0;
    const { peer } = await retrying(async (request, { sender, signal }) => {
      for (const progress of [1, 2]) {
        const params = { progressToken: 1, progress };
        await sender.notify(
          createNotification('notifications/progress', params),
          createContext('to-client', { sender, signal }),
        );
      }
      return ++attempt === 1 ? RESET(request) : resultFor(request, {});
    });
    const client = new ScriptedClient();
    await peer.request(callOf('read'), exchangeWith(client));
    expect(client.told.map(({ params }) => params?.progress)).toEqual([1, 2]);
  });
});

describe('a failed call that is not sent again', () => {
  it.each<[string, Failure]>([
    ['a broken connection', RESET],
    ['a failed service', status(500, 'unknown')],
  ])('reports an unknown outcome after %s', async (_, failure) => {
    const { peer } = await retrying(failure);
    const thrown = await peer.request(callOf('plain'), exchangeWith()).catch((error) => error);
    expect(thrown.message).toMatch(/^It failed; whether the call took effect is unknown$/);
  });

  it('reports it also for an answer of the platform', async () => {
    const { peer } = await retrying(
      says(-32010, 'Tool execution error - Please check your CloudWatch logs for more information'),
    );
    const { error } = await peer.request(callOf('plain'), exchangeWith());
    expect(error).toMatchObject({
      code: -32010,
      message: expect.stringMatching(/CloudWatch.*unknown/),
      data: { outcome: 'unknown' },
    });
  });

  it('returns the server’s own error unchanged', async () => {
    const { peer } = await retrying(says(-32603, 'Division by zero'));
    const { error } = await peer.request(callOf('plain'), exchangeWith());
    expect(error).toEqual({ code: -32603, message: 'Division by zero' });
  });

  it('does not report an unknown outcome for a rejected call', async () => {
    const { peer } = await retrying(status(403, 'refused'));
    const thrown = await peer.request(callOf('plain'), exchangeWith()).catch((error) => error);
    expect(thrown.message).toBe('It failed');
  });
});

describe.concurrent('between two attempts', () => {
  it.each([
    ['half of it at least', 0, [100, 200, 400]],
    ['all of it at most', 1, [200, 400, 800]],
  ])('the delay doubles, and jitter takes %s', async (_, random, pauses) => {
    const said: string[] = [];
    const began = performance.now();
    const { server, peer } = await retrying(
      (request) =>
        server.requests.length <= pauses.length ? REFUSED(request) : resultFor(request, {}),
      { random: () => random, log: (_level, sentence) => said.push(sentence) },
    );
    await peer.request(callOf('plain'), exchangeWith());
    expect(said.map((sentence) => Number(/again in (\d+) ms/.exec(sentence)?.[1]))).toEqual(pauses);
    // Node's timers may be a millisecond early.
    const total = pauses.reduce((sum, pause) => sum + pause - 1, 0);
    expect(performance.now() - began).toBeGreaterThanOrEqual(total);
  });

  it('the delay is at least Retry-After', async () => {
    const times: number[] = [];
    const { peer } = await retrying((request) => {
      times.push(performance.now());
      return times.length === 1
        ? status(429, 'refused', { retryAfter: 0.4 })(request)
        : resultFor(request, {});
    });
    await peer.request(callOf('plain'), exchangeWith());
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(398);
  });

  it('the request fails at once if the delay exceeds its time limit', async () => {
    const { server, peer } = await retrying(status(429, 'refused', { retryAfter: 60 }), {
      timeoutMs: 1_000,
    });
    await expect(peer.request(callOf('plain'), exchangeWith())).rejects.toThrow('It failed');
    expect(server.requests).toHaveLength(1);
  });

  it('a cancelled request is abandoned', async () => {
    const abort = new AbortController();
    const reason = new CancelledError();
    const { server, peer } = await retrying(
      (request) => {
        setImmediate(() => abort.abort(reason));
        return REFUSED(request);
      },
      { random: () => 1 },
    );
    const answer = peer.request(callOf('plain'), exchangeWith(undefined, abort.signal));
    await expect(answer).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });

  it('a request that is aborted during its attempt gets the reason instead of the failure', async () => {
    const abort = new AbortController();
    const reason = new AgentCoreError('shutdown', 'The program was ended');
    const { server, peer } = await retrying((request) => {
      abort.abort(reason);
      return REFUSED(request);
    });
    const answer = peer.request(callOf('plain'), exchangeWith(undefined, abort.signal));
    await expect(answer).rejects.toBe(reason);
    expect(server.requests).toHaveLength(1);
  });
});

describe.concurrent('a permanent failure', () => {
  it('is returned after the maximum number of attempts', async () => {
    const { server, peer } = await retrying(REFUSED, { maxRetries: 2 });
    await expect(peer.request(callOf('plain'), exchangeWith())).rejects.toThrow('It failed');
    expect(server.requests).toHaveLength(3);
  });

  it('is returned at the time limit of the request if the service stays busy', async () => {
    const timeoutMs = 3_000;
    const pauses: number[] = [];
    const { server, peer } = await retrying(THROTTLED, {
      timeoutMs,
      maxRetries: 1,
      log: (_level, sentence) => pauses.push(Number(/again in (\d+) ms/.exec(sentence)?.[1])),
    });
    const { error } = await peer.request(callOf('plain'), exchangeWith());
    expect(error?.code).toBe(-32003);
    expect(pauses.reduce((sum, pause) => sum + pause)).toBeLessThanOrEqual(timeoutMs);
    expect(server.requests.length).toBeGreaterThan(2);
  });

  it('is returned at once if nothing may be repeated', async () => {
    const { server, peer } = await retrying(THROTTLED, { maxRetries: 0 });
    expect((await peer.request(callOf('plain'), exchangeWith())).error?.code).toBe(-32003);
    expect(server.requests).toHaveLength(1);
  });
});

const REGION = { type: 'string', 'x-mcp-header': 'Region' };
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

/**
 * A server of MCP 2026-07-28 that rejects calls without the headers that its tool declares.
 *
 * @param list Returns another answer to `tools/list`.
 */
async function strict(
  list: (request: JsonRpcRequest) => JsonRpcResponse | undefined = () => undefined,
) {
  const tools = new ToolCatalog();
  const inputSchema = { type: 'object', properties: { region: REGION } };
  const { server, peer } = await retrying(
    async (request) => {
      if (request.method === 'tools/list') {
        return list(request) ?? resultFor(request, { tools: [{ name: 'x', inputSchema }] });
      }
      return 'mcp-param-region' in tools.paramHeaders(request)
        ? resultFor(request, { fine: true })
        : errorFor(request, -32020, 'Mcp-Param-Region does not match');
    },
    { tools },
  );
  const call = (signal?: AbortSignal) =>
    peer.request(
      requestOf('tools/call', { name: 'x', arguments: { region: 'eu' }, _meta: META }),
      exchangeWith(undefined, signal),
    );
  return { server, call };
}

describe.concurrent('a call whose headers do not match its body', () => {
  it('shares one list request with the other calls, and all are sent again', async () => {
    const { server, call } = await strict();
    const answers = await Promise.all([call(), call(), call()]);
    expect(answers.filter(({ error }) => error)).toEqual([]);
    expect(server.count('tools/list')).toBe(1);
    expect(server.count('tools/call')).toBe(6);
  });

  it('is sent again after two temporary failures of the tool list', async () => {
    const failures = [THROTTLED, RESET];
    const { server, call } = await strict((request) => failures.shift()?.(request));
    expect((await call()).error).toBeUndefined();
    expect(server.count('tools/list')).toBe(3);
  });

  it('gets an error with both causes if the tools cannot be listed', async () => {
    const { server, call } = await strict(says(-32601, 'No such method'));
    await expect(call()).rejects.toMatchObject({
      message: expect.stringMatching(/Could not call x: .*headers.*No such method/),
      data: { outcome: 'refused', jsonRpcCode: -32601 },
    });
    expect(server.count('tools/call')).toBe(1);
  });

  it('keeps the list request if the call that started it is cancelled', async () => {
    const abort = new AbortController();
    const reason = new CancelledError();
    const { server, call } = await strict(() => {
      abort.abort(reason);
      return undefined;
    });
    const first = call(abort.signal);
    const second = call();
    await expect(first).rejects.toBe(reason);
    expect((await second).error).toBeUndefined();
    expect(server.count('tools/list')).toBe(1);
  });

  it('gets the mismatch error if the tools are unchanged', async () => {
    const { server, call } = await strict((request) => resultFor(request, { tools: [] }));
    expect((await call()).error?.code).toBe(-32020);
    expect(server.count('tools/list')).toBe(1);
    expect(server.count('tools/call')).toBe(1);
  });
});
