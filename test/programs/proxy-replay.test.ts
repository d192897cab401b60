import { describe, expect, it } from 'vitest';
import type { SwitchesInput } from '../../src/local/config/switches.ts';
import { readJournal, readSessionFacts } from '../../src/state/journal/reader.ts';
import {
  delivered,
  killAll,
  type ProxiedOptions,
  running,
  startProxied,
  startState,
  textOf,
} from '../fixtures/proxied-runtime.ts';
import type { Line, ProxyProcess } from '../fixtures/proxy-process.ts';

/** The log messages of the proxy to the client. */
function saidBy({ lines }: ProxyProcess): string[] {
  return lines
    .filter(({ method, params }: Line) => {
      return method === 'notifications/message' && params.logger === 'agentcore-mcp';
    })
    .map(({ params }: Line) => params.data);
}

const LOST: readonly [string, ProxiedOptions][] = [
  ['404', { switches: { goneSession: 'not-found' } }],
  ['400 Server not initialized', { switches: { goneSession: 'server-not-initialized' } }],
  ['-32602', { switches: { goneSession: 'invalid-params' } }],
  ['the answer of a fresh container', { switches: { goneSession: 'fresh-container' } }],
  ['-32602 of a stateless server that requires a handshake', { recognizes: 'handshake' }],
];

const modeOf = (mode: string) => ({ RUNTIME_SESSION_MODE: mode, AGENTCORE_STOP_ON_EXIT: 'true' });

describe('after the loss of its microVM, a session', () => {
  it.each(LOST)('continues, and the client gets one message: %s', async (_, options) => {
    const { local, proxy } = await startProxied(options);
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
    expect(await textOf(proxy.call('count'))).toBe('2');
    await killAll(local);
    expect(await textOf(proxy.call('count'))).toBe('1');
    expect(await textOf(proxy.call('count'))).toBe('2');
    expect(delivered(local, 'tools/call', 'count')).toBeLessThanOrEqual(5);
    expect(saidBy(proxy)).toEqual([expect.stringMatching(/lost the session.*\d+ ms/)]);
    await proxy.close();
    expect(running(local)).toBe(0);
    expect(proxy.stderr).toBe('');
  });

  it('continues after each further loss', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    for (let times = 0; times < 5; times++) {
      expect(await textOf(proxy.call('count'))).toBe('1');
      await killAll(local);
    }
    expect(delivered(local, 'initialize')).toBe(5);
    await proxy.close();
    expect(running(local)).toBe(0);
  });

  it('has the client’s original settings again', async () => {
    const { local, proxy } = await startProxied();
    await proxy.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: { roots: { listChanged: true } },
      clientInfo: { name: 'The Client', version: '3.2.1' },
    });
    proxy.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    await proxy.request('logging/setLevel', { level: 'critical' });
    await proxy.request('resources/subscribe', { uri: 'file:///a' });
    await proxy.request('resources/subscribe', { uri: 'file:///b' });
    await proxy.request('resources/unsubscribe', { uri: 'file:///a' });
    const before = JSON.parse(await textOf(proxy.call('state')));
    await killAll(local);
    const after = JSON.parse(await textOf(proxy.call('state')));
    expect(after.pid).not.toBe(before.pid);
    expect(after).toEqual({ ...before, pid: after.pid });
    expect(after.clients[0].clientInfo.name).toBe('The Client');
  });

  it.each(
    LOST.flatMap(([words, options]) =>
      ['session', 'identity'].map((mode) => [words, mode, options] as const),
    ),
  )('is set up once for all open calls: %s, mode %s', async (_, mode, options) => {
    const { local, proxy } = await startProxied({ ...options, env: modeOf(mode) });
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    const texts = await Promise.all(Array.from({ length: 10 }, () => textOf(proxy.call('count'))));
    expect(texts.map(Number).sort((one, other) => one - other)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1),
    );
    expect(delivered(local, 'initialize')).toBe(2);
    expect(saidBy(proxy).filter((sentence) => sentence.includes('lost the session'))).toHaveLength(
      1,
    );
  });

  it('continues if the duration of a call is a fraction of a millisecond', async () => {
    const { local, proxy } = await startProxied({ env: { AGENTCORE_READ_TIMEOUT: '30.00055' } });
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    expect(await textOf(proxy.call('count'))).toBe('1');
  });

  it('continues if the next microVM is lost right after its setup', async () => {
    const { local, proxy } = await startProxied({
      recognizes: 'handshake',
      // Otherwise AgentCore refuses the calls while the microVM stops, before they find the loss.
      switches: { conflictWhileChanging: false },
    });
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    // The notification is the last message of the setup.
    const method = 'notifications/initialized';
    local.faults.inject({ kind: 'kill-microvm', when: 'after', method });
    const texts = await Promise.all(Array.from({ length: 10 }, () => textOf(proxy.call('count'))));
    expect(texts.map(Number).sort((one, other) => one - other)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1),
    );
    expect(delivered(local, 'initialize')).toBe(3);
  });

  it.each(LOST)('continues if the next microVM is lost while it starts: %s', async (_, options) => {
    const { local, proxy } = await startProxied(options);
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    let losses = 0;
    local.on((event) => {
      if (event.type !== 'session' || event.change !== 'starting' || losses > 0) return;
      // A restarted session has already received a call.
      if (event.session.incarnations > 0) return;
      losses++;
      setImmediate(() => killAll(local));
    });
    const texts = Array.from({ length: 10 }, () => textOf(proxy.call('count')));
    const counts = (await Promise.all(texts)).map(Number);
    expect(losses).toBe(1);
    const killed = local.microVms.filter(({ why }) => why === 'microvm-killed');
    expect(killed.length).toBeGreaterThan(1);
    expect(counts.sort((one, other) => one - other)).toEqual(
      Array.from({ length: 10 }, (_, index) => index + 1),
    );
  });

  it.each(LOST)('continues with concurrent lists and calls: %s', async (_, options) => {
    const { local, proxy } = await startProxied(options);
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    const methods = ['tools/list', 'prompts/list', 'resources/list', 'tools/list'];
    const answers = [
      ...methods.map((method) => proxy.request(method)),
      ...methods.map(() => proxy.call('count')),
    ];
    for (const answer of await Promise.all(answers)) expect(answer.error).toBeUndefined();
    expect(delivered(local, 'initialize')).toBe(2);
  });

  it.each([
    ['three lists', 3, (proxy: ProxyProcess) => proxy.request('tools/list')],
    ['ten calls', 10, (proxy: ProxyProcess) => proxy.call('count')],
  ])(
    'of each request begins with a handshake if the server requires one: %s',
    async (_, times, send) => {
      const { local, proxy } = await startProxied({
        recognizes: 'handshake',
        env: modeOf('request'),
      });
      await proxy.initialize();
      const answers = await Promise.all(Array.from({ length: times }, () => send(proxy)));
      for (const { error } of answers) expect(error).toBeUndefined();
      expect(delivered(local, 'tools/call')).toBeLessThanOrEqual(2 * times);
    },
  );

  it('repeats no call that was open at the loss', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    await proxy.request('tools/list');
    local.faults.inject({ kind: 'kill-microvm', when: 'during', tool: 'count' });
    expect(await textOf(proxy.call('count'))).toMatch(/^error .*unknown/);
    expect(delivered(local, 'tools/call', 'count')).toBe(1);
    expect(await textOf(proxy.call('count'))).toBe('1');
  });

  it('repeats a read-only call that was open at the loss', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    await proxy.request('tools/list');
    local.faults.inject({ kind: 'kill-microvm', when: 'during', tool: 'look' });
    expect(await textOf(proxy.call('look'))).toBe('1');
  });

  it('makes the client list the tools again if they have changed', async () => {
    const { local, proxy } = await startProxied({ serverEnv: { TOOLS: 'changing' } });
    await proxy.initialize();
    await proxy.request('tools/list');
    await killAll(local);
    await proxy.call('count');
    await proxy.next(
      'the change',
      (line) => line.method === 'notifications/tools/list_changed' && line.id === undefined,
    );
  });

  it('does not make the client list unchanged tools again', async () => {
    const { local, proxy } = await startProxied();
    await proxy.initialize();
    await proxy.request('tools/list');
    await killAll(local);
    await proxy.call('count');
    await local.until(() => delivered(local, 'tools/list') === 2, 'the comparison');
    await proxy.close();
    expect(proxy.lines.filter(({ method }) => method?.endsWith('list_changed'))).toEqual([]);
  });

  it('has one record of the replay, between the old and the new session', async () => {
    const { env, journal } = await startState();
    const { local, proxy } = await startProxied({ env });
    await proxy.initialize();
    await proxy.call('count');
    await killAll(local);
    await Promise.all([proxy.call('count'), proxy.call('count')]);
    await proxy.close();
    const { files } = await readJournal(journal);
    const replayed = files[0]?.records.filter(({ type }) => type === 'session.replayed');
    expect(replayed).toEqual([
      expect.objectContaining({
        reason: expect.stringContaining('Session not found'),
        milliseconds: expect.any(Number),
        toolsChanged: false,
      }),
    ]);
    const { facts } = await readSessionFacts(journal);
    const [first, next] = [...facts.values()];
    expect(first).toMatchObject({ end: { how: 'stopped' }, next: next?.session });
    expect(next).toMatchObject({ end: { how: 'stopped' } });
    expect(facts.size).toBe(2);
  });
});

describe('a session is kept', () => {
  it.each<[string, ProxiedOptions]>([
    ['stateful', {}],
    ['with a handshake', { recognizes: 'handshake' }],
  ])('after a wrong argument: %s', async (_, options) => {
    const { local, proxy } = await startProxied(options);
    await proxy.initialize();
    expect(await textOf(proxy.call('count'))).toBe('1');
    expect(await textOf(proxy.call('strict'))).toBe(
      'error -32602: Invalid arguments for tool strict',
    );
    expect(await textOf(proxy.call('count'))).toBe('2');
    expect(delivered(local, 'initialize')).toBe(1);
    expect(delivered(local, 'tools/call', 'strict')).toBe(1);
    expect(saidBy(proxy)).toEqual([]);
  });
});

describe('a container that was replaced within its microVM', () => {
  // The answer to a container's 4xx contains less and less information.
  it.each<[string, SwitchesInput]>([
    ['as its own error', { containerClientErrors: 'pass' }],
    ['as 424', { containerClientErrors: 'wrap', mcpErrors: 'status' }],
    ['as -32010', { containerClientErrors: 'wrap', mcpErrors: 'json-rpc' }],
  ])('reports an unknown session, %s, and gets a new handshake', async (_, switches) => {
    const { local, proxy } = await startProxied({ switches });
    await proxy.initialize();
    await proxy.request('tools/list');
    expect(await textOf(proxy.call('look'))).toBe('1');
    const [session] = local.sessions();
    await local.restartContainer(session?.runtimeSessionId as string);
    expect(await textOf(proxy.call('look'))).toBe('1');
    expect(await textOf(proxy.call('count'))).toBe('2');
    await proxy.close();
    expect(running(local)).toBe(0);
  });
});
