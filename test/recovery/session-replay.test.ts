import { describe, expect, it, vi } from 'vitest';
import { AgentCoreError } from '../../src/base/errors.ts';
import {
  createErrorResponse,
  createNotification,
  type JsonRpcRequest,
  type JsonRpcResponse,
} from '../../src/mcp/message.ts';
import { RetryInterceptor } from '../../src/recovery/retry.ts';
import { SessionReplayInterceptor } from '../../src/recovery/session-replay.ts';
import {
  applyInterceptors,
  CancelledError,
  createContext,
  type Peer,
  type RequestContext,
} from '../../src/relay/peer.ts';
import { ToolCatalog } from '../../src/relay/tool-catalog.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import {
  callOf,
  errorFor,
  exchangeWith,
  requestOf,
  resultFor,
  ScriptedClient,
  ScriptedServer,
} from './scripted-peers.ts';

type ReplayReport = Parameters<
  ConstructorParameters<typeof SessionReplayInterceptor>[0]['onReplay']
>[0];

type Refusal = (request: JsonRpcRequest) => JsonRpcResponse;

/** The errors with which a runtime reports a lost microVM. */
const SHAPES = {
  'a 404 of the server': (request) => ({
    ...errorFor(request, -32001, 'Session not found'),
    httpStatus: 404,
  }),
  'a 404 of AgentCore': () => {
    throw new AgentCoreError('upstream', 'AgentCore does not find the session (HTTP 404)', {
      data: { status: 404, name: 'ResourceNotFoundException', outcome: 'refused' },
    });
  },
  '400 of a server that is not initialized': (request) => ({
    ...errorFor(request, -32000, 'Bad Request: Server not initialized'),
    httpStatus: 400,
  }),
  '400 that is not JSON-RPC': () => {
    throw new AgentCoreError('upstream', 'AgentCore refused (HTTP 400: No session)', {
      data: { status: 400, outcome: 'refused' },
    });
  },
  '-32602 of a server that was never initialized': (request) =>
    errorFor(request, -32602, 'Invalid request parameters'),
  '-32600 about the session': (request) =>
    errorFor(request, -32600, 'Bad Request: No valid session ID provided'),
} satisfies Record<string, Refusal>;

const NOT_FOUND: Refusal = SHAPES['a 404 of the server'];

interface ServerOptions {
  readonly shape?: Refusal;
  readonly capabilities?: object;
  readonly pages?: () => object[][];
  /** Answers other requests of a known client. By default with an empty result. */
  readonly answer?: (
    request: JsonRpcRequest,
    context: RequestContext,
  ) => JsonRpcResponse | Promise<JsonRpcResponse> | undefined;
  /** Delays a request before the server handles it. */
  readonly hold?: (request: JsonRpcRequest) => Promise<void> | undefined;
  /** Handles a notification after it was counted. */
  readonly notified?: (method: string) => Promise<void> | undefined;
  /** Answers the handshake of this number, from 1. By default as usual. */
  readonly initialize?: (
    request: JsonRpcRequest,
    number: number,
  ) => JsonRpcResponse | Promise<JsonRpcResponse | undefined> | undefined;
}

/** A server that knows its client after `initialize`, until it forgets it. */
function forgetfulServer(options: ServerOptions = {}) {
  const { shape = NOT_FOUND, capabilities = { tools: {} }, pages = () => [[]] } = options;
  let knows = false;
  let sessions = 0;
  let handshakes = 0;
  const server = new ScriptedServer(async (request, context) => {
    await options.hold?.(request);
    if (context.call) {
      context.call.attempts++;
      context.call.session = `session-${sessions + (request.method === 'initialize' ? 1 : 0)}`;
    }
    if (request.method === 'initialize') {
      const refusal = await options.initialize?.(request, ++handshakes);
      if (refusal) return refusal;
      knows = true;
      sessions++;
      return resultFor(request, { protocolVersion: '2025-11-25', capabilities });
    }
    if (!knows) return shape(request);
    const answer = await options.answer?.(request, context);
    if (answer) return answer;
    if (request.method !== 'tools/list') return resultFor(request, { session: sessions });
    const page = Number(request.params?.cursor ?? 0);
    const all = pages();
    const nextCursor = page + 1 < all.length ? { nextCursor: String(page + 1) } : {};
    return resultFor(request, { tools: all[page], ...nextCursor });
  }, options.notified);
  return Object.assign(server, {
    knows: () => knows,
    forget: () => {
      knows = false;
    },
  });
}

/**
 * A client whose calls go through a {@link Replay} to a server, and its log messages and reports.
 */
function replaying(server: Peer) {
  const reports: ReplayReport[] = [];
  const said: string[] = [];
  const log = (level: string, sentence: string) => {
    if (level !== 'debug') said.push(`${level}: ${sentence}`);
  };
  const retry = new RetryInterceptor({
    maxRetries: 2,
    timeoutMs: MAX_WAIT_MS,
    tools: new ToolCatalog(),
    log,
    random: () => 0,
  });
  const replay = new SessionReplayInterceptor({
    timeoutMs: MAX_WAIT_MS,
    retry,
    onReplay: (report) => reports.push(report),
    log,
  });
  const peer = applyInterceptors([replay], server);
  const client = new ScriptedClient();
  const request = (request: JsonRpcRequest, signal?: AbortSignal) =>
    peer.request(request, {
      ...exchangeWith(client, signal),
      call: { attempts: 0 },
    });
  const notify = (method: string) => peer.notify(createNotification(method), exchangeWith(client));
  return {
    client,
    reports,
    said,
    request,
    notify,
    call: (name = 'x') => request(callOf(name)),
    initialize: async () => {
      await request(requestOf('initialize', { clientInfo: { name: 'the client’s own' } }));
      await notify('notifications/initialized');
    },
  };
}

async function started(options: ServerOptions = {}) {
  const server = forgetfulServer(options);
  const client = replaying(server);
  await client.initialize();
  return { server, ...client };
}

const never = () => new Promise<void>(() => undefined);

const textOf = ({ bytes }: { bytes: Buffer }) => bytes.toString();

describe('a call to a server that has forgotten its client', () => {
  it.each(Object.entries(SHAPES))(
    'is sent again after a new handshake, for each error: %s',
    async (_, shape) => {
      const { server, call } = await started({ shape });
      server.forget();
      expect(textOf(await call())).toContain('"result":{"session":2}');
      expect(server.count('initialize')).toBe(2);
      expect(server.count('tools/call')).toBe(2);
    },
  );

  it('finds the server set up with the client’s original parameters, in protocol order', async () => {
    const { server, request, call } = await started();
    await request(requestOf('logging/setLevel', { level: 'error' }));
    await request(requestOf('logging/setLevel', { level: 'debug' }));
    await request(requestOf('resources/subscribe', { uri: 'file:///kept' }));
    await request(requestOf('resources/subscribe', { uri: 'file:///dropped' }));
    await request(requestOf('resources/unsubscribe', { uri: 'file:///dropped' }));
    const before = server.methods.length;
    const initialize = textOf(server.requests[0] as JsonRpcRequest);
    server.forget();
    await call();
    expect(server.methods.slice(before)).toEqual([
      'tools/call',
      'initialize',
      'notifications/initialized',
      'logging/setLevel',
      'resources/subscribe',
      'tools/call',
    ]);
    const again = server.requests.slice(-4);
    expect(textOf(again[0] as JsonRpcRequest)).toBe(initialize);
    expect(again[1]?.params).toEqual({ level: 'debug' });
    expect(again[2]?.params).toEqual({ uri: 'file:///kept' });
  });

  it('does not depend on earlier errors of the server', async () => {
    const { server, request, call } = await started({
      answer: (request) =>
        request.method === 'resources/subscribe'
          ? errorFor(request, -32002, 'No such resource')
          : undefined,
    });
    await request(requestOf('resources/subscribe', { uri: 'file:///none' }));
    server.forget();
    await call();
    expect(server.count('resources/subscribe')).toBe(1);
  });

  it('continues although the new server rejects a setting', async () => {
    let takes = true;
    const { server, request, call } = await started({
      answer: (request) =>
        request.method === 'logging/setLevel' && !takes
          ? errorFor(request, -32601, 'Method not found')
          : undefined,
    });
    await request(requestOf('logging/setLevel', { level: 'error' }));
    takes = false;
    server.forget();
    expect((await call()).error).toBeUndefined();
  });

  it('succeeds after each further loss', async () => {
    const { server, call, reports } = await started();
    for (let times = 1; times <= 10; times++) {
      server.forget();
      expect(textOf(await call())).toContain(`{"session":${times + 1}}`);
    }
    expect(reports).toHaveLength(10);
  });

  it('shares one handshake with all open calls', async () => {
    const { server, call } = await started();
    server.forget();
    const answers = await Promise.all(Array.from({ length: 50 }, () => call()));
    expect(answers.map(textOf).every((text) => text.includes('{"session":2}'))).toBe(true);
    expect(server.count('initialize')).toBe(2);
  });

  it('shares it with calls that arrive during the handshake', async () => {
    let late: Promise<JsonRpcResponse> | undefined;
    const { server, call } = await started({
      initialize: async (_, number) => {
        if (number === 1) return undefined;
        await new Promise(setImmediate);
        late = call('late');
        await new Promise(setImmediate);
        return undefined;
      },
    });
    server.forget();
    await call();
    expect(textOf((await late) as JsonRpcResponse)).toContain('{"session":2}');
    expect(server.count('initialize')).toBe(2);
    const lateCalls = server.requests.filter(({ params }) => params?.name === 'late');
    expect(lateCalls).toHaveLength(1);
  });

  it('does not end the others’ handshake if it is cancelled', async () => {
    const abort = new AbortController();
    let release: (() => void) | undefined;
    const { server, request, call } = await started({
      initialize: (_, number) => {
        if (number === 1) return undefined;
        return new Promise((resolve) => {
          release = () => resolve(undefined);
        });
      },
    });
    server.forget();
    const first = request(callOf('first'), abort.signal);
    const second = call('second');
    const reason = new CancelledError();
    const cancelled = expect(first).rejects.toBe(reason);
    while (!release) await new Promise(setImmediate);
    abort.abort(reason);
    await cancelled;
    release();
    expect(textOf(await second)).toContain('{"session":2}');
  });

  it.each(Object.entries(SHAPES).slice(2))(
    'is sent again if the new session has answered the probe: %s',
    async (_, shape) => {
      let probes = 0;
      let handshakes = 0;
      const { server, call } = await started({
        shape,
        // The first probe detects the loss. All others arrive after the new handshake.
        hold: async ({ method }) => {
          if (method === 'initialize') handshakes++;
          if (method !== 'tools/list' || ++probes === 1) return;
          while (handshakes < 2 || !server.knows()) await new Promise(setImmediate);
        },
      });
      server.forget();
      const answers = await Promise.all(Array.from({ length: 10 }, () => call()));
      expect(answers.map(textOf).every((text) => text.includes('{"session":2}'))).toBe(true);
      expect(server.count('initialize')).toBe(2);
      expect(server.count('tools/call')).toBe(20);
    },
  );

  it('is sent again if that probe is answered before the new session is set up', async () => {
    let probes = 0;
    let release = () => {};
    const isSet = new Promise<void>((resolve) => {
      release = resolve;
    });
    let levels = 0;
    const { server, request, call } = await started({
      shape: SHAPES['-32602 of a server that was never initialized'],
      hold: async ({ method }) => {
        if (method === 'logging/setLevel' && ++levels === 2) await isSet;
        if (method !== 'tools/list' || ++probes === 1) return;
        while (levels < 2) await new Promise(setImmediate);
      },
    });
    await request(requestOf('logging/setLevel', { level: 'error' }));
    server.forget();
    const calls = [call(), call()];
    while (probes < 2 || levels < 2) await new Promise(setImmediate);
    await new Promise(setImmediate);
    release();
    const answers = await Promise.all(calls);
    expect(answers.map(textOf).every((text) => text.includes('{"session":2}'))).toBe(true);
    expect(server.count('initialize')).toBe(2);
  });

  it('is sent again without another handshake if it is rejected after the new session began', async () => {
    const server = forgetfulServer();
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { initialize, call } = replaying({
      notify: (notification) => server.notify(notification),
      request: async (request, context) => {
        const answer = await server.request(request, context);
        if (request.params?.name === 'late' && answer.error) await released;
        return answer;
      },
    });
    await initialize();
    server.forget();
    const late = call('late');
    expect(textOf(await call())).toContain('{"session":2}');
    release();
    expect(textOf(await late)).toContain('{"session":2}');
    expect(server.count('initialize')).toBe(2);
  });

  it('is sent again if another client has initialized the session before the probe', async () => {
    let refusals = 1;
    const { server, call } = await started({
      answer: (request) =>
        request.method === 'tools/call' && refusals-- > 0
          ? SHAPES['400 of a server that is not initialized'](request)
          : undefined,
    });
    expect(textOf(await call())).toContain('{"session":1}');
    expect(server.count('initialize')).toBe(1);
    expect(server.count('tools/call')).toBe(2);
  });

  it.each<[string, number, Refusal]>([
    ['if it is rejected again', 2, SHAPES['400 of a server that is not initialized']],
    [
      'if the server processed it',
      1,
      (request) => errorFor(request, -32600, 'Your session expired, sign in again'),
    ],
  ])('gets the error after a successful probe %s', async (_, calls, shape) => {
    const { server, call } = await started({
      answer: (request) => (request.method === 'tools/call' ? shape(request) : undefined),
    });
    expect((await call()).error).toBeDefined();
    expect(server.count('initialize')).toBe(1);
    expect(server.count('tools/call')).toBe(calls);
  });

  it('is sent again if the new session is lost as well', async () => {
    const { server, call } = await started({
      shape: SHAPES['-32602 of a server that was never initialized'],
    });
    server.forget();
    const first = Array.from({ length: 5 }, () => call());
    await Promise.race(first);
    server.forget();
    const answers = await Promise.all([...first, ...Array.from({ length: 5 }, () => call())]);
    expect(answers.filter(({ error }) => error)).toEqual([]);
    expect(server.count('initialize')).toBe(3);
  });

  it('waits for a handshake of the client that is in progress', async () => {
    let release = () => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    const { server, call, initialize } = await started({
      initialize: (_, number) => (number === 2 ? held : undefined),
    });
    server.forget();
    const again = initialize();
    const calls = [call(), call()];
    await new Promise(setImmediate);
    release();
    await again;
    const answers = await Promise.all(calls);
    expect(answers.map(textOf).every((text) => text.includes('{"session":2}'))).toBe(true);
    expect(server.count('initialize')).toBe(2);
    expect(server.count('tools/call')).toBe(2);
  });

  it('does not wait for a handshake that is never acknowledged', async () => {
    let notifications = 0;
    const { server, call } = await started({
      notified: () => (++notifications === 2 ? never() : undefined),
    });
    server.forget();
    expect(textOf(await call())).toContain('{"session":2}');
  });

  it('is not sent again after a message on its stream', async () => {
    const { server, call } = await started({
      answer: async (request, { sender, signal }) => {
        const params = { level: 'info', data: 'at work' };
        await sender.notify(
          createNotification('notifications/message', params),
          createContext('to-client', { sender, signal }),
        );
        server.forget();
        return NOT_FOUND(request);
      },
    });
    expect((await call()).error?.code).toBe(-32001);
    expect(server.count('tools/call')).toBe(1);
  });

  it('fails after three handshakes if it ends each session itself', async () => {
    const { server, call } = await started({
      answer: (request) => {
        if (request.method !== 'tools/call') return undefined;
        server.forget();
        return NOT_FOUND(request);
      },
    });
    expect((await call('deadly')).error?.code).toBe(-32001);
    expect(server.count('tools/call')).toBeLessThanOrEqual(4);
    expect(server.count('initialize')).toBeLessThanOrEqual(4);
  });
});

describe('a call whose microVM was lost before or during it', () => {
  // The error is the same in both cases. Only the caller knows whether the call may run twice.
  it.each<[string, Refusal]>([
    [
      '-32603',
      (request) =>
        errorFor(request, -32603, 'An internal error occurred while processing the request.'),
    ],
    [
      '-32010',
      (request) =>
        errorFor(request, -32010, 'Tool execution error - Please check your CloudWatch logs'),
    ],
    [
      '424',
      () => {
        throw new AgentCoreError('upstream', 'Received error (404) from runtime', {
          data: { status: 424, name: 'RuntimeClientError', outcome: 'unknown' },
        });
      },
    ],
  ])('is not repeated, and the next call starts a new session: %s', async (_, shape) => {
    const { server, call } = await started({ shape });
    server.forget();
    await call('first').catch(() => undefined);
    expect(server.count('tools/call')).toBe(1);
    expect(textOf(await call('second'))).toContain('{"session":2}');
    expect(server.count('tools/call')).toBe(2);
  });

  it('causes no handshake if the server knows its client', async () => {
    const { server, call } = await started({
      answer: (request) =>
        request.params?.name === 'crash'
          ? errorFor(request, -32010, 'Tool execution error - Please check your CloudWatch logs')
          : undefined,
    });
    expect((await call('crash')).error?.code).toBe(-32010);
    expect((await call('other')).error).toBeUndefined();
    expect(server.count('initialize')).toBe(1);
  });
});

describe('the session of a server that knows its client is kept', () => {
  it('after a wrong argument', async () => {
    const { server, call } = await started({
      answer: (request) =>
        request.method === 'tools/call'
          ? errorFor(request, -32602, 'Invalid arguments: city is required')
          : undefined,
    });
    for (let times = 0; times < 3; times++) {
      expect((await call()).error?.message).toBe('Invalid arguments: city is required');
    }
    expect(server.count('initialize')).toBe(1);
    expect(server.count('tools/call')).toBe(3);
  });

  it.each([
    ['resources', 'resources/list'],
    ['prompts', 'prompts/list'],
  ])(
    'after a wrong argument, with a probe of a list that the server supports: %s',
    async (capability, list) => {
      const { server, request } = await started({
        capabilities: { [capability]: {} },
        answer: (request) =>
          request.method === 'completion/complete'
            ? errorFor(request, -32602, 'No such prompt')
            : undefined,
      });
      await request(requestOf('completion/complete'));
      expect(server.methods.slice(2)).toEqual(['completion/complete', list]);
    },
  );

  it('after a wrong argument, if the server supports no list for a probe', async () => {
    const { server, request } = await started({
      capabilities: { completions: {} },
      answer: (request) => errorFor(request, -32602, 'Unknown argument: city'),
    });
    const { error } = await request(requestOf('completion/complete'));
    expect(error?.message).toBe('Unknown argument: city');
    expect(server.count('initialize')).toBe(1);
  });

  it.each<[string, Refusal]>([
    ['an unknown method', (request) => errorFor(request, -32601, 'Session not found here')],
    ['a server error', (request) => errorFor(request, -32603, 'Division by zero')],
    [
      'a bad request error of AgentCore',
      () => {
        throw new AgentCoreError('upstream', 'Refused', {
          data: { status: 400, name: 'ValidationException', outcome: 'refused' },
        });
      },
    ],
    [
      'a broken connection',
      () => {
        throw new AgentCoreError('connection', 'Broken', { data: { outcome: 'unknown' } });
      },
    ],
    [
      'a failed service',
      () => {
        throw new AgentCoreError('upstream', 'Failed', { data: { status: 500 } });
      },
    ],
  ])('after %s', async (_, refusal) => {
    const { server, call } = await started({
      answer: (request) => (request.method === 'tools/call' ? refusal(request) : undefined),
    });
    await call().catch(() => undefined);
    expect(server.count('initialize')).toBe(1);
    expect(server.count('tools/call')).toBe(1);
  });

  it('after the second 404 in a row to the same call, which is then its normal answer', async () => {
    const { server, call } = await started({
      answer: (request) =>
        request.params?.name === 'missing'
          ? { ...errorFor(request, -32000, 'No such document'), httpStatus: 404 }
          : undefined,
    });
    expect((await call('missing')).error?.message).toBe('No such document');
    expect(server.count('initialize')).toBe(2);
    expect((await call('other')).error).toBeUndefined();
  });

  it('after another client of the stateless era gets a lost session error', async () => {
    const { server, request } = await started({
      answer: (request) => (request.method === 'tools/call' ? NOT_FOUND(request) : undefined),
    });
    const modern = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    expect((await request(callOf('x', modern))).error?.code).toBe(-32001);
    expect(server.count('initialize')).toBe(1);
  });

  it('and not initialized for a client that never initialized', async () => {
    const server = forgetfulServer();
    const { call } = replaying(server);
    expect((await call()).error?.code).toBe(-32001);
    expect(server.methods).toEqual(['tools/call']);
  });
});

describe('a probe for a server that has forgotten its client', () => {
  it('is repeated if AgentCore throttles it', async () => {
    let throttled = false;
    const { server, call } = await started({
      shape: (request) => {
        if (request.method === 'tools/list' && !throttled) {
          throttled = true;
          return errorFor(request, -32003, 'Rate limit exceeded - Too many requests');
        }
        return errorFor(request, -32602, 'Invalid request parameters');
      },
    });
    server.forget();
    expect(textOf(await call())).toContain('{"session":2}');
  });
});

describe('an unanswered probe', () => {
  const unanswered =
    (shape: Refusal): Refusal =>
    (request) => {
      if (request.method !== 'tools/list') return shape(request);
      throw new AgentCoreError('timeout', 'No answer', { data: { outcome: 'unknown' } });
    };

  it('confirms an error that names the session', async () => {
    const { server, call } = await started({
      shape: unanswered(SHAPES['400 of a server that is not initialized']),
    });
    server.forget();
    expect(textOf(await call())).toContain('{"session":2}');
  });

  it('does not replace a session after an error that may be about the call', async () => {
    const { server, call } = await started({
      shape: unanswered(SHAPES['-32602 of a server that was never initialized']),
    });
    server.forget();
    expect((await call()).error?.code).toBe(-32602);
    expect(server.count('initialize')).toBe(1);
  });
});

describe('a replay', () => {
  it('is reported once to the client and once to the journal, with reason and duration', async () => {
    const { server, call, reports, said } = await started();
    server.forget();
    await Promise.all([call(), call(), call()]);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^notice: .*lost the session \(Session not found\).* \d+ ms.*3 calls/);
    await expect
      .poll(() => reports)
      .toEqual([
        {
          session: 'session-1',
          next: 'session-2',
          reason: 'Session not found',
          milliseconds: expect.any(Number),
          calls: 3,
          toolsChanged: false,
        },
      ]);
  });
});

describe('a rejected notification', () => {
  const CHANGED = 'notifications/roots/list_changed';
  const refuse = () =>
    Promise.reject(
      new AgentCoreError('upstream', 'Session not found (HTTP 404)', {
        data: { status: 404, outcome: 'refused' },
      }),
    );

  it('proves nothing: the session is kept, and the server is probed once', async () => {
    const { server, notify, call } = await started({
      notified: (method) => (method === CHANGED ? refuse() : undefined),
    });
    await expect(notify(CHANGED)).rejects.toThrow('Session not found');
    await expect(notify(CHANGED)).rejects.toThrow('Session not found');
    expect(textOf(await call())).toContain('{"session":1}');
    expect(server.methods.slice(2)).toEqual([CHANGED, 'tools/list', CHANGED, 'tools/call']);
  });

  it('proves nothing if the server supports no list for a probe', async () => {
    const { server, notify, call } = await started({
      capabilities: { logging: {} },
      notified: (method) => (method === CHANGED ? refuse() : undefined),
    });
    await expect(notify(CHANGED)).rejects.toThrow('Session not found');
    await call();
    expect(server.count('initialize')).toBe(1);
  });

  it('is not sent again after a loss, and the next call starts a new session', async () => {
    const { server, notify, call, reports } = await started({
      notified: (method) => (method === CHANGED ? refuse() : undefined),
    });
    await call();
    server.forget();
    await notify(CHANGED);
    expect(textOf(await call())).toContain('{"session":2}');
    expect(server.methods.slice(3)).toEqual([
      CHANGED,
      'tools/list',
      'initialize',
      'notifications/initialized',
      'tools/call',
    ]);
    await expect.poll(() => reports).toMatchObject([{ session: 'session-1', next: 'session-2' }]);
  });

  it('ends no handshake, neither the first nor a repeated one', async () => {
    const server = forgetfulServer({ notified: refuse });
    const { initialize, call } = replaying(server);
    await expect(initialize()).rejects.toThrow('Session not found');
    expect(textOf(await call())).toContain('{"session":1}');
    server.forget();
    expect(textOf(await call())).toContain('{"session":2}');
    expect(server.count('initialize')).toBe(2);
  });
});

describe('a failed replay', () => {
  const refuseSecond = (request: JsonRpcRequest, number: number) =>
    number === 2
      ? createErrorResponse(request.id, { code: -32000, message: 'Out of order' })
      : undefined;

  it('causes one error with the loss and the reason of the failure', async () => {
    const { server, call } = await started({ initialize: refuseSecond });
    server.forget();
    const thrown = await call().catch((error) => error);
    expect(thrown).toBeInstanceOf(AgentCoreError);
    expect(thrown.message).toMatch(/lost the session \(Session not found\).*Out of order/);
    expect(server.count('tools/call')).toBe(1);
  });

  /**
   * Two calls, of which the second joins a failing replay. `refuses` selects the handshakes that
   * fail.
   */
  async function joined(refuses: (number: number) => boolean, beforeFailure = () => {}) {
    let late: Promise<unknown> | undefined;
    const { server, call } = await started({
      initialize: async (request, number) => {
        if (number === 1) return undefined;
        late ??= call('late').catch((thrown: unknown) => thrown);
        await new Promise(setImmediate);
        beforeFailure();
        return refuses(number) ? refuseSecond(request, 2) : undefined;
      },
    });
    server.forget();
    await expect(call('first')).rejects.toThrow('Out of order');
    return { server, answer: await late };
  }

  it('is retried once by a call that joined it late', async () => {
    const { server, answer } = await joined((number) => number === 2);
    expect(textOf(answer as JsonRpcResponse)).toContain('{"session":2}');
    expect(server.count('initialize')).toBe(3);
  });

  it('is retried at most once by that call', async () => {
    const { server, answer } = await joined(() => true);
    expect(answer).toMatchObject({ message: expect.stringContaining('Out of order') });
    expect(server.count('initialize')).toBe(3);
  });

  it('is not retried by a call that has used most of its time', async () => {
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now');
    const { server, answer } = await joined(
      () => true,
      () => clock.mockImplementation(() => now() + MAX_WAIT_MS),
    ).finally(() => clock.mockRestore());
    expect(answer).toMatchObject({ message: expect.stringContaining('Out of order') });
    expect(server.count('initialize')).toBe(2);
  });

  it('is retried once by the next call before that is sent', async () => {
    const { server, call } = await started({ initialize: refuseSecond });
    server.forget();
    await call('first').catch(() => undefined);
    expect(textOf(await call('second'))).toContain('{"session":2}');
    expect(server.methods.slice(-3)).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/call',
    ]);
  });

  it('is recorded once it has succeeded', async () => {
    const { server, call, reports } = await started({ initialize: refuseSecond });
    await call('before');
    server.forget();
    await call('first').catch(() => undefined);
    await call('second');
    await expect.poll(() => reports).toMatchObject([{ session: 'session-1', next: 'session-2' }]);
  });

  it('does not occur if AgentCore only throttles the handshake', async () => {
    const { server, call } = await started({
      initialize: (request, number) =>
        number === 2
          ? errorFor(request, -32003, 'Rate limit exceeded - Too many requests')
          : undefined,
    });
    server.forget();
    expect(textOf(await call())).toContain('{"session":2}');
  });
});

describe('the tools of a new server', () => {
  const CHANGED = 'notifications/tools/list_changed';
  const list = (cursor?: string) => requestOf('tools/list', cursor ? { cursor } : {});

  it.each<[string, object[][], object[][], boolean]>([
    ['are the same', [[{ name: 'a' }]], [[{ name: 'a' }]], false],
    ['are others', [[{ name: 'a' }]], [[{ name: 'b' }]], true],
    ['take other arguments', [[{ name: 'a' }]], [[{ name: 'a', inputSchema: {} }]], true],
    [
      'are the same on two pages',
      [[{ name: 'a' }], [{ name: 'b' }]],
      [[{ name: 'a' }], [{ name: 'b' }]],
      false,
    ],
    [
      'differ on the second page',
      [[{ name: 'a' }], [{ name: 'b' }]],
      [[{ name: 'a' }], [{ name: 'c' }]],
      true,
    ],
    ['have a page more', [[{ name: 'a' }]], [[{ name: 'a' }], [{ name: 'b' }]], true],
    ['have a page less', [[{ name: 'a' }], [{ name: 'b' }]], [[{ name: 'a' }]], true],
  ])(
    '%s: the client is notified if they differ from its last list',
    async (_, before, after, changed) => {
      let pages = before;
      const { server, client, request, call, reports } = await started({ pages: () => pages });
      await request(list());
      if (before.length > 1) await request(list('1'));
      pages = after;
      server.forget();
      await call();
      await expect.poll(() => reports).toMatchObject([{ toolsChanged: changed }]);
      expect(client.told.filter(({ method }) => method === CHANGED)).toHaveLength(changed ? 1 : 0);
    },
  );

  it('are not listed if the client never listed them', async () => {
    const { server, call, reports } = await started();
    server.forget();
    await call();
    await expect.poll(() => reports).toHaveLength(1);
    expect(server.count('tools/list')).toBe(0);
  });
});
