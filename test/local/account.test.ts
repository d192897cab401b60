import { describe, expect, test } from 'vitest';
import {
  httpAgent,
  INITIALIZE,
  INVENTED_ID,
  isAlive,
  nodeCommand,
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
import { ManualClock } from './manual-clock.ts';

/** The number of deliveries of each tools/call to containers, by the key in its arguments. */
function timesByKey(deliveries: readonly { readonly body: string }[]): Record<string, number> {
  const times: Record<string, number> = {};
  for (const { body } of deliveries) {
    const key = JSON.parse(body).params?.arguments?.key;
    if (key !== undefined) times[key] = (times[key] ?? 0) + 1;
  }
  return times;
}

describe('the deliveries', () => {
  test('count how often a container received a call, regardless of the answer to its client', async () => {
    const local = await start({ notes: statefulMcp() }, {}, { deliveryLimit: 100 });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const call = (key: string) =>
      read(post(toolCall('count', { key }), session)).catch(() => undefined);
    local.faults.inject({ kind: 'throttle', method: 'tools/call' });
    await call('never-given');
    local.faults.inject({ kind: 'reset', phase: 'after', method: 'tools/call' });
    await call('given-and-lost');
    await call('given-twice');
    await call('given-twice');
    expect(timesByKey(local.deliveries)).toEqual({ 'given-and-lost': 1, 'given-twice': 2 });
  });

  test('name the session and the request of each delivery', async () => {
    const local = await start({ notes: statefulMcp() }, {}, { deliveryLimit: 100 });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    await read(post(toolCall('count'), session));
    const [{ runtimeSessionId } = {}] = local.sessions();
    expect(local.deliveries).toMatchObject([
      { mcpSessionId: undefined, runtimeSessionId, request: { rpcMethod: 'initialize' } },
      {
        mcpSessionId: session['mcp-session-id'],
        runtimeSessionId,
        request: { tool: 'count', status: 200, outcome: 'answered' },
      },
    ]);
  });

  test('contain the newest ones, and are empty unless enabled', async () => {
    const asked = await start({ agent: httpAgent() }, {}, { deliveryLimit: 2 });
    for (const key of [1, 2, 3]) await read(poster(asked, 'agent')({ key }));
    expect(asked.deliveries.map(({ body }) => body)).toEqual(['{"key":2}', '{"key":3}']);
    const silent = await start({ agent: httpAgent() });
    await read(poster(silent, 'agent')({}));
    expect(silent.deliveries).toEqual([]);
  });
});

describe('the microVMs', () => {
  test('are listed one by one, with the reason of their end', async () => {
    const local = await start({ notes: statelessMcp() });
    const post = poster(local, 'notes');
    const session = await openSession(post);
    const [{ runtimeSessionId = '' } = {}] = local.sessions();
    const ids = { runtime: 'notes', runtimeSessionId, mcpSessionId: session['mcp-session-id'] };
    expect(local.microVms).toMatchObject([{ ...ids, endedAt: undefined, why: undefined }]);
    await local.killMicroVm(runtimeSessionId);
    await read(post(toolCall('count'), session));
    const stop = local
      .runtime('notes')
      .invocationUrl.replace('/invocations', '/stopruntimesession');
    const headers = { [RUNTIME_SESSION]: runtimeSessionId };
    await read(signingFetch(local)(stop, { method: 'POST', headers, body: '{}' }));
    await read(post(toolCall('count'), session));
    await read(post(toolCall('crash'), session));
    await local.until(() => local.sessions()[0]?.state === 'Stopped');
    await read(post(toolCall('count'), session));
    await local.close();
    expect(local.microVms).toMatchObject(
      ['microvm-killed', 'stop-runtime-session', 'container-exited', 'shutdown'].map((why) => ({
        ...ids,
        why,
        startedAt: expect.any(Number),
        endedAt: expect.any(Number),
      })),
    );
    for (const { startedAt, endedAt } of local.microVms) {
      expect(endedAt).toBeGreaterThanOrEqual(startedAt);
    }
  });

  test('end because of their timeouts', async () => {
    const clock = new ManualClock();
    const local = await start(
      { idle: statelessMcp({ idleTimeout: 60 }), old: statelessMcp({ maxLifetime: 60 }) },
      {},
      { clock },
    );
    const startedAt = clock.now();
    const signing = { at: new Date(startedAt) };
    await openSession(poster(local, 'idle', signing));
    await openSession(poster(local, 'old', signing));
    clock.advance(60_000);
    await local.until(() => local.microVms.every(({ why }) => why !== undefined));
    const endedAt = startedAt + 60_000;
    expect(local.microVms).toMatchObject([
      { runtime: 'idle', why: 'idle-timeout', startedAt, endedAt },
      { runtime: 'old', why: 'max-lifetime', startedAt, endedAt },
    ]);
  });

  test('have the session ids that their servers issued, one each', async () => {
    const local = await start({
      notes: statefulMcp({ switches: { routeMcpBy: 'runtime-session-id' } }),
    });
    const post = poster(local, 'notes');
    const byRuntime = { [RUNTIME_SESSION]: INVENTED_ID };
    const issued: (string | null)[] = [];
    for (let n = 0; n < 2; n += 1) {
      issued.push((await read(post(INITIALIZE, byRuntime))).headers.get('mcp-session-id'));
      await local.killMicroVm(INVENTED_ID);
    }
    expect(local.microVms.map(({ mcpSessionId }) => mcpSessionId)).toEqual(issued);
  });

  test('include those that were never ready', async () => {
    const command = [process.execPath, '-e', 'process.exit(1)'];
    const local = await start({ broken: { command } });
    await read(poster(local, 'broken')(INITIALIZE));
    expect(local.microVms).toMatchObject([{ runtime: 'broken', why: 'start-failed' }]);
    const [{ startedAt, endedAt = Number.NaN } = { startedAt: Number.NaN }] = local.microVms;
    expect(endedAt).toBeGreaterThanOrEqual(startedAt);
  });

  test('count as one if the container restarts inside', async () => {
    const local = await start({ notes: statelessMcp() });
    const session = await openSession(poster(local, 'notes'));
    await local.restartContainer(session['mcp-session-id']);
    expect(local.microVms).toMatchObject([{ why: undefined }]);
  });

  test('are kept up to a limit', async () => {
    const local = await start({ notes: statelessMcp() }, {}, { microVmLimit: 1 });
    for (let n = 0; n < 2; n += 1) await openSession(poster(local, 'notes'));
    expect(local.microVms).toHaveLength(1);
  });
});

describe('the number of containers', () => {
  test('includes warm and session containers, and is zero after close', async () => {
    const local = await start({ notes: statelessMcp(), ready: statelessMcp({ warm: 2 }) });
    expect(local.containers).toBe(2);
    const session = await openSession(poster(local, 'notes'));
    expect(local.containers).toBe(3);
    await local.killMicroVm(session['mcp-session-id']);
    expect(local.containers).toBe(2);
    await local.close();
    expect(local.containers).toBe(0);
  });

  test('includes a process that outlives its stop', async () => {
    const local = await start({
      agent: {
        protocol: 'HTTP',
        command: nodeCommand('http-agent.ts'),
        switches: { containerOutlivesStop: true },
      },
    });
    await read(poster(local, 'agent')({}, { [RUNTIME_SESSION]: INVENTED_ID }));
    const { pid } = local.sessions()[0] ?? {};
    const stop = local
      .runtime('agent')
      .invocationUrl.replace('/invocations', '/stopruntimesession');
    const headers = { [RUNTIME_SESSION]: INVENTED_ID };
    await read(signingFetch(local)(stop, { method: 'POST', headers, body: '{}' }));
    expect(local.microVms).toMatchObject([{ why: 'stop-runtime-session' }]);
    expect(isAlive(pid)).toBe(true);
    expect(local.containers).toBe(1);
  });
});
