import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { LocalRuntime } from '../../src/local/local-runtime.ts';
import { isWanted } from '../../src/sessions/format.ts';
import { readJournal, readSessionFacts } from '../../src/state/journal/reader.ts';
import { MAX_WAIT_MS } from '../fixtures/bounds.ts';
import {
  delivered,
  forgetfulRuntime,
  killAll,
  type ProxiedOptions,
  proxyTo,
  running,
  startProxied,
  startState,
  textOf,
} from '../fixtures/proxied-runtime.ts';
import { ProxyProcess, RUNTIME_ARN, startProxy } from '../fixtures/proxy-process.ts';
import { endWithTest, within } from '../fixtures/running.ts';
import {
  isCall,
  json,
  result,
  type Seen,
  startUpstream,
  stream,
} from '../fixtures/scripted-upstream.ts';
import { RUNTIME_SESSION, start, statelessMcp } from '../local/harness.ts';

const MODES = ['session', 'identity', 'request'] as const;
const VALID_ID = /^[a-zA-Z0-9][a-zA-Z0-9_-]{32,99}$/;

const isStop = ({ path }: Seen) => path.endsWith('/stopruntimesession');
const invokesOf = ({ requests }: LocalRuntime) =>
  requests.filter(({ operation }) => operation === 'invoke');
const idsOf = (local: LocalRuntime) => [
  ...new Set(invokesOf(local).map(({ headers }) => headers[RUNTIME_SESSION])),
];

/** The error reply to a stop, in the AWS format. */
function refuse({ response }: Seen, status: number, name: string): void {
  response.setHeader('x-amzn-errortype', name);
  json(response, { message: 'AWS said so' }, status);
}

async function recorded(journal: string) {
  const { facts, owners } = await readSessionFacts(journal);
  return [...facts.values()].map((session) => ({
    ...session,
    liveness: owners.get(session.session)?.liveness,
  }));
}

/** The types of the failure records that the log shows. */
async function failureRows(journal: string): Promise<string[]> {
  const { files } = await readJournal(journal);
  const records = files.flatMap((file) => file.records);
  return records.filter((record) => isWanted(record, { errors: true })).map(({ type }) => type);
}

describe('the runtime session id', () => {
  it.each(MODES)(
    'has a length within AgentCore’s bounds on every invoke in mode %s',
    async (mode) => {
      const { local, proxy } = await startProxied({
        recognizes: 'none',
        env: { RUNTIME_SESSION_MODE: mode },
      });
      await proxy.initialize();
      await proxy.call('count');
      await proxy.call('count');
      await proxy.close();
      const ids = idsOf(local);
      for (const id of ids) expect(id).toMatch(VALID_ID);
      expect(ids).toHaveLength(mode === 'request' ? 3 : 1);
    },
  );

  it('is different in each process', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    await proxyTo(local).initialize();
    expect(idsOf(local)).toHaveLength(2);
  });

  it('of an identity belongs to the principal, in all of its processes', async () => {
    const key = (id: string, user: string) => ({
      id,
      secret: `secret-of-${id}`,
      principal: `arn:aws:iam::123456789012:user/${user}`,
    });
    const keys = [
      key('AKIAADA0000000000001', 'ada'),
      key('AKIAADA0000000000002', 'ada'),
      key('AKIAGRACE00000000001', 'grace'),
    ];
    const local = await start(
      { server: forgetfulRuntime({ recognizes: 'none' }) },
      { accessKeys: keys },
    );
    const counts: string[] = [];
    for (const { id, secret } of keys) {
      const proxy = proxyTo(local, {
        RUNTIME_SESSION_MODE: 'identity',
        AWS_ACCESS_KEY_ID: id,
        AWS_SECRET_ACCESS_KEY: secret,
      });
      await proxy.initialize();
      counts.push(await textOf(proxy.call('count')));
      await proxy.close();
    }
    expect(counts).toEqual(['1', '2', '1']);
    expect(idsOf(local)).toHaveLength(2);
  });

  it('of an identity belongs to one endpoint of one runtime', async () => {
    const endpoints = ['DEFAULT', 'beta'];
    const server = { ...forgetfulRuntime({ recognizes: 'none' }), endpoints };
    const local = await start({ server, other: server });
    for (const [name, qualifier] of [
      ['server', 'DEFAULT'],
      ['server', 'beta'],
      ['other', 'beta'],
    ] as const) {
      const env = { RUNTIME_SESSION_MODE: 'identity', AGENTCORE_QUALIFIER: qualifier };
      const proxy = proxyTo(local, env, name);
      await proxy.initialize();
      await proxy.close();
    }
    expect(idsOf(local)).toHaveLength(3);
  });

  it('of an identity is derived again after STS failed', async () => {
    const { local, proxy } = await startProxied({
      recognizes: 'none',
      env: { RUNTIME_SESSION_MODE: 'identity' },
    });
    const fault = { kind: 'platform-error', error: 'access-denied', operation: 'sts' } as const;
    local.faults.inject(fault);
    const { error } = await proxy.initialize();
    expect(error.message).toMatch(/caller identity from STS/);
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
  });
});

describe('a call with the session mode "identity"', () => {
  it('is sent when STS accepts connections again', async () => {
    const local = await start({ server: forgetfulRuntime({ recognizes: 'none' }) });
    const toLocal = createServer((socket) => {
      const upstream = connect(Number(new URL(local.url).port), '127.0.0.1');
      for (const side of [socket, upstream]) side.on('error', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    const listen = (port: number) => once(toLocal.listen(port, '127.0.0.1'), 'listening');
    await listen(0);
    const { port } = toLocal.address() as AddressInfo;
    await once(toLocal.close(), 'close');
    endWithTest(toLocal, () => void toLocal.close());
    const proxy = proxyTo(local, {
      RUNTIME_SESSION_MODE: 'identity',
      AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
      LOG_LEVEL: 'debug',
    });
    const answer = proxy.initialize();
    await expect
      .poll(() => proxy.stderr, { timeout: MAX_WAIT_MS })
      .toMatch(/Sending initialize again .*STS: AWS is unreachable/);
    await listen(port);
    expect((await answer).error).toBeUndefined();
    expect(await textOf(proxy.call('count'))).toBe('1');
  });
});

describe('the server’s Mcp-Session-Id', () => {
  it('is sent after the answer to initialize, and never with initialize', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    await proxy.call('count');
    const ids = invokesOf(local).map(({ rpcMethod, headers }) => [
      rpcMethod,
      headers['mcp-session-id'],
    ]);
    const [first, second] = local.sessions().map(({ mcpSessionId }) => mcpSessionId);
    expect(first).not.toBe(second);
    expect(ids).toEqual([
      ['initialize', undefined],
      ['notifications/initialized', first],
      ['tools/call', first],
      ['tools/call', first],
      ['initialize', undefined],
      ['notifications/initialized', second],
      ['tools/call', second],
    ]);
  });

  it.each<[string, ProxiedOptions]>([
    ['rejects the proxy’s id with 404', { switches: { refusedId: 'not-found' } }],
    ['rejects the proxy’s id with 400', { switches: { refusedId: 'bad-request' } }],
    ['ignores the proxy’s id', { switches: { inventedIdOnStateful: 'forward' } }],
  ])(
    'prevents a shared identity session if the server %s, with one warning',
    async (_, { switches = {} }) => {
      const { local, proxy } = await startProxied({
        switches,
        env: { RUNTIME_SESSION_MODE: 'identity', LOG_LEVEL: 'warning' },
      });
      await proxy.initialize();
      expect(await textOf(proxy.call('count'))).toBe('1');
      expect(await textOf(proxy.call('count'))).toBe('2');
      await killAll(local);
      expect(await textOf(proxy.call('count'))).toBe('1');
      expect(proxy.stderr.match(/cannot be shared by identity/g)).toHaveLength(1);
    },
  );
});

describe('the session of a single request', () => {
  it('of a stateful runtime is initialized, called and stopped, and leaves nothing running', async () => {
    const { local, proxy } = await startProxied({ env: { RUNTIME_SESSION_MODE: 'request' } });
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
    // From the second call on, the proxy knows the server's requirement.
    expect(await textOf(proxy.call('count'))).toBe('1');
    const id = invokesOf(local).at(-1)?.headers[RUNTIME_SESSION];
    await local.until(() => running(local) === 0, 'the end of all microVMs');
    const own = local.requests.filter(({ headers }) => headers[RUNTIME_SESSION] === id);
    expect(own.map(({ operation, rpcMethod }) => rpcMethod ?? operation)).toEqual([
      'initialize',
      'notifications/initialized',
      'tools/call',
      'stop',
    ]);
  });

  it('of a server that requires a handshake is initialized with the client’s own parameters', async () => {
    const { proxy } = await startProxied({
      recognizes: 'handshake',
      env: { RUNTIME_SESSION_MODE: 'request' },
    });
    await proxy.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'The Client', version: '1' },
    });
    await proxy.request('logging/setLevel', { level: 'critical' });
    const state = JSON.parse(await textOf(proxy.call('state')));
    expect(state).toMatchObject({ clients: [{ clientInfo: { name: 'The Client' } }] });
    expect(state).toMatchObject({ initialized: 1, level: 'critical' });
  });

  it('receives no response to a server request after its stop', async () => {
    const question = { jsonrpc: '2.0', id: 'q', method: 'roots/list' };
    const upstream = await startUpstream((seen) => {
      if (!isCall(seen, 'asks')) return isCall(seen) && (result(seen, { content: [] }) ?? true);
      const send = stream(seen);
      send(question);
      send({ jsonrpc: '2.0', id: seen.message.id, result: { content: [] } });
      // The stream stays open.
      return true;
    });
    const proxy = startProxy(upstream.url, { RUNTIME_SESSION_MODE: 'request' });
    await proxy.initialize({ roots: {} });
    await proxy.call('asks');
    const { headers } = await upstream.saw('the call', (seen) => isCall(seen, 'asks'));
    const isOwn = (seen: Seen) => seen.headers[RUNTIME_SESSION] === headers[RUNTIME_SESSION];
    await upstream.saw('its stop', (seen) => isStop(seen) && isOwn(seen));
    const asked = await proxy.next('the question', ({ method }) => method === 'roots/list');
    proxy.send({ jsonrpc: '2.0', id: asked.id, result: { roots: [] } });
    // The proxy handles messages in order.
    await proxy.call('other');
    await proxy.close();
    expect(isStop(upstream.seen.filter(isOwn).at(-1) as Seen)).toBe(true);
  });

  it('that is lost before its call is followed by another one', async () => {
    const { local, proxy } = await startProxied({ env: { RUNTIME_SESSION_MODE: 'request' } });
    await proxy.initialize();
    await proxy.call('count');
    local.faults.inject({ kind: 'kill-microvm', when: 'before', tool: 'count' });
    expect(await textOf(proxy.call('count'))).toBe('1');
    await proxy.close();
    expect(running(local)).toBe(0);
  });

  it('is also stopped if its server rejected the call and no other request followed', async () => {
    const { local, proxy } = await startProxied({
      switches: { mcpErrors: 'status' },
      env: { RUNTIME_SESSION_MODE: 'request', AGENTCORE_RETRIES: '0' },
    });
    await proxy.initialize();
    local.faults.inject({
      kind: 'platform-error',
      error: 'access-denied',
      method: 'initialize',
      times: 'always',
    });
    expect((await proxy.call('count')).error).toBeDefined();
    expect((await proxy.close()).code).toBe(0);
    expect(local.microVms.length).toBeGreaterThan(1);
    expect(running(local)).toBe(0);
  });

  it('is not stopped before all its messages have arrived', async () => {
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method === 'notifications/cancelled') return true;
      return isCall(seen, 'other') && (result(seen, { content: [] }) ?? true);
    });
    const proxy = startProxy(upstream.url, { RUNTIME_SESSION_MODE: 'request' });
    await proxy.initialize();
    const cancelled = proxy.begin('tools/call', { name: 'long', arguments: {} });
    const call = await upstream.saw('the call', (seen) => isCall(seen, 'long'));
    const params = { requestId: cancelled };
    proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    const notice = await upstream.sawMethod('notifications/cancelled');
    result(call, { content: [] });
    const stopOf = ({ headers }: Seen) =>
      upstream.saw('a stop', (seen) => {
        return isStop(seen) && seen.headers[RUNTIME_SESSION] === headers[RUNTIME_SESSION];
      });
    // A second session starts and ends before the first one is stopped.
    await proxy.call('other');
    await stopOf(await upstream.saw('the other call', (seen) => isCall(seen, 'other')));
    const stopped = upstream.seen.filter(isStop).map(({ headers }) => headers[RUNTIME_SESSION]);
    expect(stopped).not.toContain(call.headers[RUNTIME_SESSION]);
    notice.response.writeHead(202).end();
    await stopOf(call);
  });

  it('is not initialized because of a wrong argument', async () => {
    const { local, proxy } = await startProxied({
      recognizes: 'none',
      env: { RUNTIME_SESSION_MODE: 'request' },
    });
    await proxy.initialize();
    expect(await textOf(proxy.call('strict'))).toMatch(/Invalid arguments/);
    expect(delivered(local, 'initialize')).toBe(1);
  });
});

describe('on exit, the proxy', () => {
  it.each<[string, string | undefined, boolean]>([
    ['session', undefined, true],
    ['session', '0', false],
    ['request', undefined, true],
    ['request', 'false', false],
    ['identity', undefined, false],
    ['identity', '1', true],
  ])(
    'in mode %s, with AGENTCORE_STOP_ON_EXIT=%s: stops its sessions: %s',
    async (mode, setting, stops) => {
      const { env, journal } = await startState();
      const { local, proxy } = await startProxied({
        recognizes: 'none',
        env: {
          ...env,
          RUNTIME_SESSION_MODE: mode,
          ...(setting !== undefined && { AGENTCORE_STOP_ON_EXIT: setting }),
        },
      });
      await proxy.initialize();
      await proxy.call('count');
      expect((await proxy.close()).code).toBe(0);
      expect(running(local) === 0).toBe(stops);
      const ends = (await recorded(journal)).map(({ end }) => end?.how);
      expect(new Set(ends)).toEqual(new Set([stops ? 'stopped' : 'left']));
    },
  );

  it('stops its sessions also after an uncaught exception', async () => {
    const upstream = await startUpstream();
    const bug = 'process.on("SIGUSR2", () => { throw new Error("a bug") })';
    const proxy = new ProxyProcess(
      {
        AGENTCORE_AGENT_ARN: RUNTIME_ARN,
        AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_ENDPOINT_URL: upstream.url,
      },
      ['--import', `data:text/javascript,${encodeURIComponent(bug)}`, 'dist/proxy.js'],
    );
    endWithTest(proxy, () => proxy.kill());
    await proxy.initialize();
    await upstream.sawMethod('notifications/initialized');
    proxy.child.kill('SIGUSR2');
    expect(await within(MAX_WAIT_MS, 'the exit', proxy.exited)).toEqual({ code: 1, signal: null });
    expect(upstream.seen.filter(isStop)).toHaveLength(1);
    expect(proxy.stderr).toBe('agentcore-mcp: a bug\n');
  });

  it('stops the sessions of open requests', async () => {
    const local = await start({ server: statelessMcp() });
    const proxy = proxyTo(local, { RUNTIME_SESSION_MODE: 'request' });
    await proxy.initialize();
    // Calls that wait for the client end when its input ends.
    const calls = [1, 2].map(() => proxy.begin('tools/call', { name: 'ask' }));
    for (const _ of calls)
      await proxy.next('a question', ({ method }) => method?.startsWith('samp'));
    expect((await proxy.close()).code).toBe(0);
    for (const id of calls) expect((await proxy.answerTo(id)).error.data.reason).toBe('shutdown');
    expect(running(local)).toBe(0);
  });

  it('stops the session id of the runtime, not the id that the proxy sent', async () => {
    const returned = 'the-runtimes-own-name-0123456789-0123456789';
    const upstream = await startUpstream(({ response }) => {
      response.setHeader(RUNTIME_SESSION, returned);
      return false;
    });
    const proxy = startProxy(upstream.url);
    await proxy.initialize();
    await proxy.close();
    const [stop] = upstream.seen.filter(isStop);
    expect(stop?.headers[RUNTIME_SESSION]).toBe(returned);
  });

  it('stops the sessions of earlier handshakes, even if the last one started none', async () => {
    const { local, proxy } = await startProxied({
      switches: { stopBy: 'runtime-session-id', mcpErrors: 'status' },
      env: { AGENTCORE_RETRIES: '0' },
    });
    await proxy.initialize();
    await proxy.initialize();
    local.faults.inject({ kind: 'throttle', method: 'initialize' });
    expect((await proxy.initialize()).error).toBeDefined();
    expect(running(local)).toBe(2);
    expect((await proxy.close()).code).toBe(0);
    expect(running(local)).toBe(0);
  });

  it('continues the earlier session after a refused handshake, and starts no other', async () => {
    const { local, proxy } = await startProxied({
      switches: { mcpErrors: 'status' },
      env: { AGENTCORE_RETRIES: '0' },
    });
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
    local.faults.inject({ kind: 'throttle', method: 'initialize' });
    expect((await proxy.initialize()).error).toBeDefined();
    expect(await textOf(proxy.call('count'))).toBe('2');
    await proxy.close();
    expect(local.microVms).toHaveLength(1);
  });

  it('starts no microVM for a notification after a refused or unanswered handshake', async () => {
    const { local, proxy } = await startProxied({
      switches: { mcpErrors: 'status' },
      env: { AGENTCORE_RETRIES: '0' },
    });
    local.faults.inject({ kind: 'throttle', method: 'initialize' });
    expect((await proxy.initialize()).error).toBeDefined();
    local.faults.inject({ kind: 'reset', phase: 'after', method: 'initialize' });
    expect((await proxy.initialize()).error).toBeDefined();
    expect((await proxy.close()).code).toBe(0);
    expect(delivered(local, 'notifications/initialized')).toBe(0);
    expect(local.microVms).toHaveLength(1);
    expect(running(local)).toBe(0);
  });

  it('sends nothing after the first stop, with messages in every state', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream((seen) => {
      return isCall(seen) || seen.message?.method === 'notifications/initialized';
    });
    const proxy = startProxy(upstream.url, env);
    const isCancellation = ({ message }: Seen) => message?.method === 'notifications/cancelled';
    for (const name of ['in the earlier session', 'in the last session']) {
      await proxy.initialize();
      // The call is sent although the notification is never acknowledged.
      const requestId = proxy.begin('tools/call', { name });
      await upstream.saw('the call', (seen) => isCall(seen, name));
      proxy.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } });
    }
    proxy.send({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' });
    await upstream.saw('the cancellation', isCancellation);
    proxy.child.kill('SIGTERM');
    expect(await within(MAX_WAIT_MS, 'the exit', proxy.exited)).toMatchObject({ code: 0 });
    const first = upstream.seen.findIndex(isStop);
    expect(first).toBeGreaterThan(0);
    expect(upstream.seen.slice(first).filter((seen) => !isStop(seen))).toEqual([]);
    expect((await recorded(journal)).map(({ end }) => end?.how)).toEqual(['stopped', 'stopped']);
  });

  /** A proxy whose client has initialized twice without an answer, in one runtime session. */
  async function initializedInVain(answerStop: (seen: Seen) => unknown) {
    const { env, journal } = await startState();
    const upstream = await startUpstream((seen) => {
      if (seen.message?.method === 'initialize') return true;
      return isStop(seen) && answerStop(seen);
    });
    const proxy = startProxy(upstream.url, {
      ...env,
      LOG_LEVEL: 'warning',
      AGENTCORE_READ_TIMEOUT: '1',
      AGENTCORE_RETRIES: '0',
    });
    for (const _ of [1, 2]) expect((await proxy.initialize()).error).toBeDefined();
    const ids = upstream.seen.map(({ headers }) => headers[RUNTIME_SESSION]);
    expect(new Set(ids).size).toBe(1);
    return { upstream, proxy, journal };
  }

  it('stops unanswered handshakes of one session with one request', async () => {
    const { upstream, proxy, journal } = await initializedInVain(() => false);
    await proxy.close();
    expect(upstream.seen.filter(isStop)).toHaveLength(1);
    expect(await recorded(journal)).toMatchObject([
      { end: { how: 'stopped' } },
      { end: { how: 'stopped' } },
    ]);
  });

  it.each<[string, (seen: Seen) => unknown]>([
    ['is refused', (seen) => refuse(seen, 403, 'AccessDeniedException') ?? true],
    ['finds no session', (seen) => refuse(seen, 404, 'ResourceNotFoundException') ?? true],
    ['gets no answer', () => true],
  ])('keeps unanswered handshakes in the list if their stop %s', async (_, answerStop) => {
    const { proxy, journal } = await initializedInVain(answerStop);
    await proxy.close();
    const sessions = await recorded(journal);
    expect(sessions.map(({ end }) => end)).toEqual([undefined, undefined]);
    for (const { stopFailure } of sessions) expect(stopFailure).toBeDefined();
    expect(proxy.stderr.match(/Could not stop session/g)).toHaveLength(1);
  });

  it('keeps a session in the list that may have an id whose stop is denied', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream((seen) => {
      const { message, headers } = seen;
      if (message?.method === 'initialize') return upstream.seen.length > 2;
      if (!isStop(seen)) return false;
      const isOwnId = headers[RUNTIME_SESSION] === 'server-session-1';
      if (isOwnId) refuse(seen, 404, 'ResourceNotFoundException');
      else refuse(seen, 403, 'AccessDeniedException');
      return true;
    });
    const settings = { AGENTCORE_READ_TIMEOUT: '5', AGENTCORE_RETRIES: '0' };
    const proxy = startProxy(upstream.url, { ...env, ...settings });
    expect((await proxy.initialize()).result).toBeDefined();
    await upstream.sawMethod('notifications/initialized');
    expect((await proxy.initialize()).error).toBeDefined();
    await proxy.close();
    const sessions = await recorded(journal);
    expect(sessions.map(({ end }) => end)).toEqual([undefined, undefined]);
    expect(sessions.map(({ mcpSessionId }) => mcpSessionId)).toContain('server-session-1');
  });

  it('leaves unanswered handshakes orphaned if it dies while it stops them', async () => {
    const { upstream, proxy, journal } = await initializedInVain(() => true);
    proxy.child.stdin?.end();
    await upstream.saw('the stop', isStop);
    await proxy.kill();
    expect(await recorded(journal)).toMatchObject([
      { end: undefined, liveness: 'dead' },
      { end: undefined, liveness: 'dead' },
    ]);
  });

  it('keeps a microVM in the list that still starts after its handshakes were cut off', async () => {
    const { env, journal } = await startState();
    const local = await start({ server: { ...forgetfulRuntime(), coldStart: 600_000 } });
    const settings = { AGENTCORE_READ_TIMEOUT: '1', AGENTCORE_RETRIES: '0' };
    const proxy = proxyTo(local, { ...env, ...settings });
    for (const _ of [1, 2]) expect((await proxy.initialize()).error).toBeDefined();
    await proxy.close();
    const sessions = await recorded(journal);
    expect(sessions.map(({ end }) => end)).toEqual([undefined, undefined]);
  });

  it('counts a missing session as stopped', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream(
      (seen) => isStop(seen) && (refuse(seen, 404, 'ResourceNotFoundException') ?? true),
    );
    const proxy = startProxy(upstream.url, { ...env, LOG_LEVEL: 'warning' });
    await proxy.initialize();
    await proxy.close();
    expect(proxy.stderr).toBe('');
    expect(await recorded(journal)).toMatchObject([{ end: { how: 'stopped' } }]);
  });

  it('stops a microVM whose server issued no id and does not know the session', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream(({ message, response }) => {
      if (message?.method !== 'tools/list') return false;
      const { id } = message;
      const status = upstream.seen.length === 1 ? 200 : 404;
      json(response, { jsonrpc: '2.0', id, error: { code: -32001, message: 'Who?' } }, status);
      return true;
    });
    const proxy = startProxy(upstream.url, env);
    for (const _ of [1, 2]) expect((await proxy.request('tools/list')).error?.code).toBe(-32001);
    await proxy.close();
    expect(upstream.seen.filter(isStop)).toHaveLength(1);
    expect(await recorded(journal)).toMatchObject([{ end: { how: 'stopped' } }]);
  });

  it('stops a session after a conflict as soon as possible', async () => {
    const { env, journal } = await startState();
    let refusals = 0;
    const upstream = await startUpstream((seen) => {
      if (!isStop(seen) || refusals === 2) return false;
      refusals++;
      refuse(seen, 409, 'ConflictException');
      return true;
    });
    const proxy = startProxy(upstream.url, env);
    await proxy.initialize();
    await proxy.close();
    expect(upstream.seen.filter(isStop)).toHaveLength(3);
    expect(await recorded(journal)).toMatchObject([{ end: { how: 'stopped' } }]);
  });

  it('keeps a session in the list whose stop fails, whatever the failure', async () => {
    const ways: Record<string, (seen: Seen) => unknown> = {
      refused: (seen) => refuse(seen, 403, 'AccessDeniedException') ?? true,
      'not answered': () => true,
      'a conflict for good': (seen) => refuse(seen, 409, 'ConflictException') ?? true,
    };
    const ends = Object.entries(ways).map(async ([way, answer]) => {
      const { env, journal } = await startState();
      const upstream = await startUpstream((seen) => isStop(seen) && answer(seen));
      const proxy = startProxy(upstream.url, { ...env, LOG_LEVEL: 'warning' });
      await proxy.initialize();
      const { code } = await within(MAX_WAIT_MS, 'the exit', proxy.close());
      const [session] = await recorded(journal);
      const isListed = session !== undefined && session.end === undefined;
      const rows = await failureRows(journal);
      const isSaid = /Could not stop session agentcore-mcp-/.test(proxy.stderr);
      return { way, code, isListed, isSaid, rows, failure: session?.stopFailure?.reason };
    });
    expect(await Promise.all(ends)).toEqual(
      Object.keys(ways).map((way) => ({
        way,
        code: 0,
        isListed: true,
        isSaid: true,
        rows: ['session.stop-failed'],
        failure: expect.any(String),
      })),
    );
  });
});

describe('after kill -9, the journal', () => {
  it('contains a session without an answer, because it was recorded before its first invoke', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream(({ message }) => message?.method === 'initialize');
    const proxy = startProxy(upstream.url, env);
    proxy.begin('initialize', { protocolVersion: '2025-11-25' });
    const { headers } = await upstream.sawMethod('initialize');
    await proxy.kill();
    expect(await recorded(journal)).toMatchObject([
      {
        runtimeSessionId: headers[RUNTIME_SESSION],
        runtime: RUNTIME_ARN,
        mode: 'session',
        liveness: 'dead',
      },
    ]);
  });

  it.each(MODES)('contains every session that may still be billed, in mode %s', async (mode) => {
    const { env, journal } = await startState();
    const { local, proxy } = await startProxied({
      recognizes: mode === 'session' ? 'stateful' : 'none',
      env: { ...env, RUNTIME_SESSION_MODE: mode },
    });
    await proxy.initialize();
    if (mode === 'session') {
      await killAll(local);
      await proxy.call('count');
    }
    for (let call = 0; call < 3; call++) proxy.begin('tools/call', { name: 'hang' });
    const isUnderWay = () => delivered(local, 'tools/call', 'hang') === 3;
    await expect.poll(isUnderWay).toBe(true);
    await proxy.kill();
    const listed = (await recorded(journal))
      .filter(({ end }) => end === undefined)
      .map(({ runtimeSessionId }) => runtimeSessionId);
    const costly = local.microVms
      .filter(({ endedAt }) => endedAt === undefined)
      .map(({ runtimeSessionId }) => runtimeSessionId);
    expect(costly.length).toBe(mode === 'request' ? 3 : 1);
    expect(new Set(listed)).toEqual(new Set(costly));
  });

  it('does not list a session that no invoke started', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream(
      (seen) => isCall(seen) && (refuse(seen, 403, 'AccessDeniedException') ?? true),
    );
    const proxy = startProxy(upstream.url, env);
    await proxy.call('refused');
    await proxy.close();
    expect(await recorded(journal)).toMatchObject([{ end: { how: 'lost' } }]);
    expect(upstream.seen.filter(isStop)).toEqual([]);
  });
});

describe('while the proxy runs, the journal', () => {
  it('contains the ids of the server as soon as they are known', async () => {
    const { env, journal } = await startState();
    const upstream = await startUpstream((seen) => isCall(seen) && (result(seen, {}) ?? true));
    const proxy = startProxy(upstream.url, env);
    await proxy.initialize();
    await proxy.call('x');
    await expect
      .poll(() => recorded(journal))
      .toMatchObject([{ mcpSessionId: 'server-session-1', liveness: 'alive' }]);
  });
});

describe('a runtime that is named by', () => {
  it.each<[string, (arn: string, url: string) => string]>([
    [
      'its invocation URL',
      (arn, url) => `${url}/runtimes/${encodeURIComponent(arn)}/invocations?qualifier=DEFAULT`,
    ],
    ['its percent-encoded ARN', (arn) => encodeURIComponent(arn)],
  ])('%s has its session recorded and stopped', async (_, addressOf) => {
    const { env, journal } = await startState();
    const local = await start({ server: statelessMcp() });
    const { arn } = local.runtime('server');
    const { AWS_ENDPOINT_URL: _url, ...keys } = local.env;
    const address = addressOf(arn, local.url);
    const proxy = startProxy(address.startsWith('http') ? 'http://127.0.0.1:9' : local.url, {
      ...keys,
      ...env,
      AGENTCORE_AGENT_ARN: address,
    });
    await proxy.initialize();
    expect(idsOf(local)).toEqual([expect.stringMatching(VALID_ID)]);
    await expect.poll(() => recorded(journal)).toMatchObject([{ runtime: arn, end: undefined }]);
    await proxy.close();
    expect(running(local)).toBe(0);
    expect(await recorded(journal)).toMatchObject([{ end: { how: 'stopped' } }]);
  });
});
